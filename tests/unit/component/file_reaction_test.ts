import assert from "node:assert/strict";
import { join } from "node:path";
import { ContentType, Status } from "../../../ffi/layout.ts";
import { FileNames } from "../../../src/component/builtin/file_names.ts";
import { append } from "../../../src/event/writer.ts";
import { fill, type Host, type TestEvent, withBatch, withBuiltin } from "./support.ts";

const encoder = new TextEncoder();

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "data"));
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs `action` with a reaction that has started, and stops it, or makes it look like a crash. */
async function withReaction(
  folder: string,
  options: { config: Record<string, unknown>; acknowledged?: Record<string, number>; crash?: true },
  action: (host: Host) => Promise<void>,
): Promise<void> {
  const { config, acknowledged = {}, crash } = options;
  const given = { config, dataDirectory: join(folder, "data"), sources: ["a", "b"] };
  await withBuiltin("reaction/file", given, async (host) => {
    host.instance.setResume({
      position: new Uint8Array(0),
      acknowledged: Object.entries(acknowledged).map(([sourceId, sequence], source) => ({
        sourceId,
        source,
        sequence,
      })),
    });
    assert.equal(await host.instance.start(), Status.OK, host.instance.error());
    await action(host);
    assert.equal(await host.instance.flush(), Status.OK);
    const journal = join(folder, "data/journal");
    const before = await Deno.readFile(journal);
    assert.equal(await host.instance.stop(), Status.OK, host.instance.error());
    // A crash leaves what is noted while it runs.
    if (crash) await Deno.writeFile(journal, before);
  });
}

async function write(host: Host, events: readonly TestEvent[]): Promise<void> {
  await withBatch({}, async (batch) => {
    assert.equal(await host.instance.write(fill(batch, events)), Status.OK, host.instance.error());
  });
}

/** Numbered events of sources 0 and 1, in batches of `size`. */
async function writeNumbered(
  host: Host,
  events: readonly [source: number, sequence: number][],
  size = 7,
): Promise<void> {
  await withBatch({}, async (batch) => {
    for (let from = 0; from < events.length; from += size) {
      batch.reset();
      for (const [source, sequence] of events.slice(from, from + size)) {
        const payload = encoder.encode(`${source} ${sequence}${".".repeat(sequence % 13)}`);
        assert.ok(append(batch, { payload }, { source, sequence }));
      }
      assert.equal(await host.instance.write(batch), Status.OK, host.instance.error());
    }
  });
}

async function numbered(path: string): Promise<[number, number][]> {
  const text = await Deno.readTextFile(path);
  assert.ok(text === "" || text.endsWith("\n"), `half a line at the end of ${path}`);
  return text.split("\n").slice(0, -1).map((line) => {
    const [source, sequence] = line.replace(/\.*$/, "").split(" ").map(Number);
    return [source!, sequence!];
  });
}

Deno.test("file appends payloads as lines, or end to end, or events as JSON", () =>
  withFolder(async (folder) => {
    const events = [{ payload: "one" }, {
      payload: '{"n": 2}',
      contentType: ContentType.JSON,
      key: "k",
    }];
    for (const format of ["lines", "raw", "ndjson"]) {
      const path = join(folder, "new/folder", format);
      await withReaction(folder, { config: { path, format } }, (host) => write(host, events));
      await withReaction(folder, { config: { path, format } }, (host) => write(host, events));
    }
    const read = (name: string) => Deno.readTextFile(join(folder, "new/folder", name));
    assert.equal(await read("lines"), 'one\n{"n": 2}\n'.repeat(2));
    assert.equal(await read("raw"), 'one{"n": 2}'.repeat(2));
    const lines = (await read("ndjson")).trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.length, 4);
    assert.deepEqual(
      [lines[1].sequence, lines[1].source, lines[1].key, lines[1].payload],
      [2, "a", "k", { n: 2 }],
    );
  }));

Deno.test("file makes files with the permissions of `mode`, and leaves others as they are", () =>
  withFolder(async (folder) => {
    const path = join(folder, "secret");
    const config = { path, mode: "0600" };
    await withReaction(folder, { config }, (host) => write(host, [{ payload: "a" }]));
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await Deno.chmod(path, 0o644);
    await withReaction(folder, { config }, (host) => write(host, [{ payload: "b" }]));
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o644);
    assert.equal(await Deno.readTextFile(path), "a\nb\n");
  }));

Deno.test("file goes on in the next number when max_size is reached, also after a restart", () =>
  withFolder(async (folder) => {
    const config = { path: join(folder, "out.log"), max_size: 30 };
    const payloads = Array.from({ length: 20 }, (_, i) => `payload ${i}`);
    for (const half of [payloads.slice(0, 7), payloads.slice(7)]) {
      await withReaction(
        folder,
        { config },
        (host) => write(host, half.map((payload) => ({ payload }))),
      );
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
      name.endsWith(".log")
    ).sort();
    assert.deepEqual(
      names,
      names.map((_, i) => `out-${`${i + 1}`.padStart(4, "0")}.log`),
    );
    const texts = await Promise.all(names.map((name) => Deno.readTextFile(join(folder, name))));
    assert.equal(texts.join(""), payloads.map((payload) => `${payload}\n`).join(""));
    assert.ok(texts.every((text) => text.length <= 30 && text.length > 0));
  }));

Deno.test("names of files: fields of the time, the number, and what is wrong with a pattern", () => {
  const time = Date.UTC(2026, 10, 5, 7, 8, 9, 999);
  const name = (pattern: string, numbered = false) => {
    const names = new FileNames(pattern, numbered);
    return names.path(names.at(time), 12);
  };
  assert.equal(name("/a/%Y/%m-%d/x%H%M%S.log"), "/a/2026/11-05/x070809.log");
  assert.equal(name("/a/x.log", true), "/a/x-0012.log");
  assert.equal(name("/a/x", true), "/a/x-0012");
  assert.equal(name("/a/%i-x-%%.log", true), "/a/0012-x-%.log");
  assert.throws(() => name("/a/%j.log"), /"%j" is none of %Y/);
  assert.throws(() => name("/a/b%"), /"%" is none of/);
  assert.throws(() => name("/a/%i/b"), /only stand in the name/);
});

Deno.test("after a crash, file has each event once: what is not acknowledged is cut, whatever it lies between", () =>
  withFolder(async (folder) => {
    let state = 3;
    const random = (most: number) => {
      state = Math.imul(state, 1664525) + 1013904223 >>> 0;
      return (state >>> 8) % most;
    };
    const path = join(folder, "out");
    const next = [1, 1];
    const acknowledged = [0, 0];
    const log: [number, number][] = [];
    for (let round = 0; round < 30; round++) {
      const given = { a: acknowledged[0]!, b: acknowledged[1]! };
      next[0] = acknowledged[0]! + 1;
      next[1] = acknowledged[1]! + 1;
      const kept = log.filter(([source, sequence]) => sequence <= acknowledged[source]!);
      log.splice(0, log.length, ...kept);
      await withReaction(
        folder,
        { config: { path }, acknowledged: given, crash: true },
        async (host) => {
          if (round > 0) assert.deepEqual(await numbered(path), log, `round ${round}`);
          for (let i = random(60); i >= 0; i--) {
            const source = random(2);
            log.push([source, next[source]!++]);
          }
          await writeNumbered(host, log.slice(kept.length), 1 + random(9));
        },
      );
      for (const source of [0, 1]) {
        acknowledged[source]! += random(next[source]! - acknowledged[source]!);
      }
      // Of the last write, only a part may have come through.
      const text = await Deno.readFile(path);
      const durable = log.findLastIndex(([source, sequence]) => sequence <= acknowledged[source]!);
      const safe = log.slice(0, durable + 1).reduce(
        (sum, [source, sequence]) => sum + `${source} ${sequence}\n`.length + sequence % 13,
        0,
      );
      await Deno.truncate(path, safe + random(text.length - safe + 1));
    }
  }));

Deno.test("file cuts rotated files too, and lines that others have added stay", () =>
  withFolder(async (folder) => {
    const config = { path: join(folder, "out.log"), max_size: 40 };
    const events = Array.from({ length: 30 }, (_, i): [number, number] => [0, i + 1]);
    await withReaction(
      folder,
      { config, acknowledged: { a: 0 }, crash: true },
      (host) => writeNumbered(host, events),
    );
    const all = async () => {
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
        name.endsWith(".log")
      ).sort();
      return (await Promise.all(names.map((name) => numbered(join(folder, name))))).flat();
    };
    await withReaction(folder, { config, acknowledged: { a: 4 } }, async (host) => {
      assert.deepEqual(await all(), events.slice(0, 4));
      assert.ok(host.logs.some(({ message }) => message.includes("cut from a file")));
      await writeNumbered(host, events.slice(4));
    });
    assert.deepEqual((await all()).toSorted((a, b) => a[1] - b[1]), events);
    const plain = { path: join(folder, "plain") };
    await withReaction(folder, { config: plain }, (host) => writeNumbered(host, events));
    await Deno.writeTextFile(plain.path, "0 1000\n", { append: true });
    await withReaction(folder, { config: plain, acknowledged: { a: 29 } }, async () => {
      assert.deepEqual(await numbered(plain.path), [...events.slice(0, 29), [0, 1000]]);
    });
  }));

Deno.test("a full disk fails writes with a message; when there is room again, everything is there once", () =>
  withFolder(async (folder) => {
    const path = join(folder, "out");
    await Deno.symlink("/dev/full", path);
    await withReaction(folder, { config: { path } }, async (host) => {
      await withBatch({}, async (batch) => {
        // Accepted before the disk is found full; it is kept in memory.
        fill(batch, [{ payload: "one" }]);
        assert.equal(await host.instance.write(batch), Status.OK);
        assert.equal(await host.instance.flush(), Status.FAILED);
        assert.match(host.instance.error(), /^Cannot write to ".*out": No space left/);
        fill(batch, [{ payload: "two" }]);
        assert.equal(await host.instance.write(batch), Status.FAILED);
        assert.match(host.instance.error(), /No space left/);
        assert.equal(await host.instance.health(), Status.FAILED);
        await Deno.remove(path);
        assert.equal(await host.instance.write(batch), Status.OK, host.instance.error());
        assert.equal(await host.instance.flush(), Status.OK);
        assert.equal(await host.instance.health(), Status.OK);
      });
      assert.equal(await Deno.readTextFile(path), "one\ntwo\n");
    });
  }));

Deno.test("a file that was moved away is followed by a new one of its name", () =>
  withFolder(async (folder) => {
    const path = join(folder, "out");
    await withReaction(folder, { config: { path } }, async (host) => {
      await write(host, [{ payload: "old" }]);
      await host.instance.flush();
      await Deno.rename(path, `${path}.1`);
      assert.equal(await host.instance.flush(), Status.OK);
      await write(host, [{ payload: "new" }]);
    });
    assert.deepEqual(
      [await Deno.readTextFile(`${path}.1`), await Deno.readTextFile(path)],
      ["old\n", "new\n"],
    );
  }));
