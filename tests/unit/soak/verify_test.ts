import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Verdict } from "../../soak/lib/expectation.ts";
import { verify } from "../../soak/verify.ts";

/** Raw files by name; a list is lines. */
type Files = Record<string, string[] | string>;

/** Numbers `first` to `last` as lines. */
function lines(first: number, last: number, line: (number: number) => string = String): string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => line(first + at));
}

const event = (source: string) => (number: number) => `${source} ${number} ${number}`;

/** A run of six events of each source, in windows of three, in which all is well. */
function clean(): Record<string, string[]> {
  return {
    "emitted.a.log": lines(1, 6),
    "sent.tcp.log": lines(1, 8),
    "acknowledged.tcp.log": ["1 4", "7 8"],
    // 5 and 6 were lost with a connection; the sequences are those after that.
    "durable.all.log": [
      ...lines(1, 6, event("a")),
      ...lines(1, 4, event("tcp")),
      "tcp 7 5",
      "tcp 8 6",
    ],
    "durable.windows.log": ["a 0 3 6 3", "a 1 3 15 6"],
    "archive/events-20260101T000000Z-000001.gz": lines(1, 4, (number) => `a ${number}`),
    "archive/events-20260101T000000Z-000002.gz.part": ["a 5", "a 6"],
  };
}

async function judge(files: Files): Promise<Verdict> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_verify_" });
  try {
    await Deno.mkdir(join(folder, "archive"));
    const expectation = {
      sources: { a: "replayable", tcp: "acknowledged" },
      sinks: { all: { sources: ["a", "tcp"], ordered: true } },
      archive: { folder: "archive", sources: ["a"] },
      windows: { sink: "windows", size: 3, sources: ["a"] },
    };
    await Deno.writeTextFile(join(folder, "expect.json"), JSON.stringify(expectation));
    for (const [name, content] of Object.entries(files)) {
      const text = typeof content === "string"
        ? content
        : content.map((line) => line + "\n").join("");
      const bytes = new TextEncoder().encode(text);
      await Deno.writeFile(
        join(folder, name),
        name.startsWith("archive/") ? gzipSync(bytes) : bytes,
      );
    }
    return await verify(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is found when `name` holds these lines instead. */
async function judgeWith(name: string, content: string[] | string) {
  const { lost, duplicates, reordered } = await judge({ ...clean(), [name]: content });
  return { lost, duplicates, reordered };
}

const NOTHING = { lost: 0, duplicates: 0, reordered: 0 };

Deno.test("verify() finds nothing in a clean run, and counts what was given for sure", async () => {
  assert.deepEqual(await judge(clean()), { events: 12, ...NOTHING, problems: [] });
});

Deno.test("verify() lets events come again where they may", async () => {
  const again = [...lines(1, 4, event("a")), ...clean()["durable.all.log"]!];
  assert.deepEqual(await judgeWith("durable.all.log", again), NOTHING);
  const windows = ["a 0 3 6 3", ...clean()["durable.windows.log"]!];
  assert.deepEqual(await judgeWith("durable.windows.log", windows), NOTHING);
});

Deno.test("verify() leaves out a line that a kill tore", async () => {
  const torn = clean()["durable.all.log"]!.join("\n") + "\na 1";
  assert.deepEqual(await judgeWith("durable.all.log", torn), NOTHING);
});

Deno.test("verify() finds an event that is missing", async () => {
  const files = clean();
  const without = files["durable.all.log"]!.filter((line) => line !== "a 4 4");
  const { lost, problems } = await judge({ ...files, "durable.all.log": without });
  assert.equal(lost, 1);
  assert.deepEqual(problems, ['lost: all lacks "a 4"']);
});

Deno.test("verify() finds an acknowledged event that is missing, and none that was not", async () => {
  const without = (gone: string) => clean()["durable.all.log"]!.filter((line) => line !== gone);
  assert.deepEqual(await judgeWith("durable.all.log", without("tcp 3 3")), { ...NOTHING, lost: 1 });
  const only = await judgeWith("acknowledged.tcp.log", []);
  assert.deepEqual(only, NOTHING);
});

Deno.test("verify() finds events that come twice in the archive", async () => {
  const name = "archive/events-20260101T000000Z-000002.gz.part";
  const found = await judgeWith(name, ["a 4", "a 5", "a 6"]);
  assert.deepEqual(found, { ...NOTHING, duplicates: 1 });
});

Deno.test("verify() finds events that are missing in the archive, and reads nothing that was set aside", async () => {
  const files = clean();
  const name = "archive/events-20260101T000000Z-000002.gz.part";
  const { lost } = await judge({
    ...files,
    [name]: ["a 6"],
    "archive/events-20260101T000000Z-000002.gz.cut": ["a 5"],
  });
  assert.equal(lost, 1);
});

Deno.test("verify() finds events in the wrong order", async () => {
  const [first, second, ...rest] = clean()["durable.all.log"]!;
  const found = await judgeWith("durable.all.log", [second!, first!, ...rest]);
  assert.deepEqual(found, { ...NOTHING, reordered: 1 });
});

Deno.test("verify() finds a replayed event under another sequence", async () => {
  const lines = [...clean()["durable.all.log"]!, "a 2 7"];
  assert.deepEqual(await judgeWith("durable.all.log", lines), { ...NOTHING, reordered: 1 });
});

Deno.test("verify() finds events that nobody gave", async () => {
  const lines = [...clean()["durable.all.log"]!, "a 7 7", "b 1 1"];
  assert.deepEqual(await judgeWith("durable.all.log", lines), { ...NOTHING, duplicates: 2 });
});

Deno.test("verify() finds windows that counted too little, too much, the wrong ones, or are missing", async () => {
  const name = "durable.windows.log";
  assert.deepEqual(await judgeWith(name, ["a 0 1 3 3", "a 1 3 15 6"]), { ...NOTHING, lost: 2 });
  assert.deepEqual(await judgeWith(name, ["a 0 4 8 3", "a 1 3 15 6"]), {
    ...NOTHING,
    duplicates: 1,
  });
  assert.deepEqual(await judgeWith(name, ["a 0 3 7 3", "a 1 3 15 6"]), { ...NOTHING, lost: 1 });
  assert.deepEqual(await judgeWith(name, ["a 1 3 15 6"]), { ...NOTHING, lost: 3 });
});
