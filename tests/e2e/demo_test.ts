import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sampleLog } from "../../scripts/lib/sample_log.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const DEMO = join(PROJECT, "scripts/demo");
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

interface Demo {
  stdout: string;
  /** Folder of this run's files. */
  folder: string;
}

/** What a demo printed; its files are removed afterwards. */
async function withDemo(
  run: () => Promise<string>,
  action: (demo: Demo) => Promise<void>,
): Promise<void> {
  const stdout = await run();
  const config = /config (\S+busbar\.yaml)$/m.exec(stdout)?.[1];
  assert.ok(config, stdout);
  const folder = dirname(config);
  try {
    await action({ stdout, folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function demo(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(DEMO, { args, stdin: "null" }).output();
  assert.equal(code, 0, text(stdout) + text(stderr));
  return text(stdout);
}

/** Lines "STATUS  COUNT" below "By status". */
function countsIn(stdout: string): [status: string, count: number][] {
  const [, table] = stdout.split("By status\n");
  return table!.trimEnd().split("\n").map((line) => {
    const [status, count] = line.trim().split(/\s+/);
    return [status!, Number(count)];
  });
}

/** What awk, sort and uniq count by field 9; lines that have none are counted under `none`. */
async function awkCounts(log: string, none: string): Promise<[status: string, count: number][]> {
  const program = "awk '{print $9}' \"$1\" | sort | uniq -c";
  const { code, stdout } = await new Deno.Command("sh", { args: ["-c", program, "sh", log] })
    .output();
  assert.equal(code, 0);
  return text(stdout).trimEnd().split("\n").map((line) => {
    const [count, status = none] = line.trim().split(/\s+/);
    return [status, Number(count)] as [string, number];
  });
}

const byStatus = (counts: [string, number][]) => counts.toSorted(([a], [b]) => a < b ? -1 : 1);

async function gunzip(folder: string): Promise<string[]> {
  let all = "";
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  for (const name of names.filter((name) => name.endsWith(".gz")).sort()) {
    const { code, stdout } = await new Deno.Command("gzip", {
      args: ["-dc", join(folder, name)],
    }).output();
    assert.equal(code, 0, name);
    all += text(stdout);
  }
  return all.trimEnd().split("\n");
}

Deno.test("scripts/demo FILE counts each status as awk does, and archives every line once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_demo_" });
  try {
    // An address of its own for each line, so that it is known again in the archive.
    const addresses = Array.from({ length: 10_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const lines = sampleLog({ lines: addresses.length, seed: 42 }).trimEnd().split("\n");
    const log = join(folder, "access.log");
    const numbered = lines.map((line, i) => line.replace(/^\S+/, addresses[i]!));
    await Deno.writeTextFile(log, numbered.join("\n") + "\n");

    await withDemo(() => demo([log]), async ({ stdout, folder: files }) => {
      const counts = countsIn(stdout);
      assert.deepEqual(byStatus(counts), byStatus(await awkCounts(log, "none")));
      assert.ok(counts.length > 5, "statuses of several kinds, and lines without one");
      assert.match(stdout, /^Events +10000$/m);
      assert.match(stdout, /^Rate +[\d,]+ events\/s, [\d.]+ MB\/s/m);
      assert.match(stdout, /^Admin +http:\/\/127\.0\.0\.1:\d+/m);
      const archive = /^Archive +(\S+)/m.exec(stdout)![1]!;
      assert.equal(resolve(archive), join(files, "archive"));
      const archived = (await gunzip(join(files, "archive"))).map((line) => JSON.parse(line));
      const seen = archived.map(({ remote_addr, raw }) => remote_addr ?? raw.split(" ")[0]);
      assert.deepEqual(seen, addresses);
      for (const [i, { raw }] of archived.entries()) {
        if (raw !== undefined) assert.equal(raw, numbered[i], "passed on as it was");
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("scripts/demo without a file makes a log; with one that is not there it says so", async () => {
  await withDemo(() => demo([]), async ({ stdout, folder }) => {
    const counts = countsIn(stdout);
    assert.deepEqual(
      byStatus(counts),
      byStatus(await awkCounts(join(folder, "access.log"), "none")),
    );
    const events = Number(/^Events +(\d+)$/m.exec(stdout)![1]);
    assert.equal(counts.reduce((sum, [, count]) => sum + count, 0), events);
  });
  const { code, stderr } = await new Deno.Command(DEMO, {
    args: ["/nowhere/access.log"],
    stdin: "null",
  }).output();
  assert.notEqual(code, 0);
  assert.match(text(stderr), /Cannot read log "\/nowhere\/access\.log"/);
});

Deno.test("scripts/demo --serve goes on until SIGINT, and then sums up and ends with 0", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_demo_" });
  try {
    const log = join(folder, "access.log");
    const first = sampleLog({ lines: 100, seed: 7 });
    await Deno.writeTextFile(log, first);
    const serve = async () => {
      const child = new Deno.Command(DEMO, {
        args: [log, "--serve"],
        stdin: "null",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      let output = "";
      const steps = [
        {
          after: " 100 events read",
          act: () =>
            Deno.writeTextFileSync(log, sampleLog({ lines: 50, seed: 8 }), { append: true }),
        },
        { after: " 150 events read", act: () => child.kill("SIGINT") },
      ];
      for await (const bytes of child.stdout) {
        output += text(bytes);
        while (steps[0] && output.includes(steps[0].after)) steps.shift()!.act();
      }
      assert.equal((await child.status).code, 0, output);
      return output;
    };
    await withDemo(serve, async ({ stdout }) => {
      assert.match(stdout, /^Events +150$/m);
      assert.deepEqual(byStatus(countsIn(stdout)), byStatus(await awkCounts(log, "none")));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
