/** parquet-archive: its own tests in C++, and what busbar writes with it, read back with pyarrow. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { hashFiles, listFiles, whenChanged } from "../../scripts/lib/files.ts";
import { toolchainVersion } from "../../src/project/toolchain.ts";
import { ARROW_FLAGS, hasArrow, readParquet } from "../support/arrow.ts";
import { type Busbar, waitFor, withBusbar } from "../support/busbar.ts";
import { compileTest, PROJECT, reportTests, variants, withFolder } from "../support/c_program.ts";

const FOLDER = join(PROJECT, "plugins/parquet_archive");
const PLUGINS = { directories: [join(PROJECT, "dist/plugins")] };

const arrow = await hasArrow();
// The strictest variant that the compiler has: it finds what the plain one finds.
const { suffix, flags } = (await variants()).at(-1)!;

/** The test program, compiled when something has changed. */
async function testProgram(): Promise<string> {
  const program = join(PROJECT, "dist/tests/parquet_archive");
  const { sources } = JSON.parse(await Deno.readTextFile(join(FOLDER, "build.json")));
  const inputs = [
    ...(await listFiles(FOLDER)).filter((file) => /\.(cpp|hpp|json)$/.test(file)),
    ...await listFiles(join(PROJECT, "ffi/include")),
    join(PROJECT, "scripts/lib/arrow.txt"),
  ];
  await whenChanged({
    stamp: join(PROJECT, "dist/.stamps/tests/parquet_archive"),
    key: [await hashFiles(PROJECT, inputs), await toolchainVersion("cpp"), ...flags].join(" "),
    outputs: [program],
  }, async () => {
    await Deno.mkdir(join(PROJECT, "dist/tests"), { recursive: true });
    await withFolder(async (folder) => {
      const others = (sources as string[]).filter((source) => source !== "parquet_archive.cpp");
      const all = [...flags, ...ARROW_FLAGS, `-I${FOLDER}`];
      // All at once: Arrow's headers take long.
      const objects = await Promise.all(others.map(async (source) => {
        const object = join(folder, `${source}.o`);
        await compileTest(join(FOLDER, source), object, ["-c", ...all]);
        return object;
      }));
      await compileTest(join(FOLDER, "test_parquet_archive.cpp"), program, [...all, ...objects]);
    });
  });
  return program;
}

Deno.test(`parquet-archive writes files, each event once${suffix}`, async (t) => {
  if (!arrow) return;
  await withFolder(async (folder) => {
    await reportTests(t, await testProgram(), { args: [], folder, count: 15 });
  });
});

Deno.test("parquet-archive has each event once when its cell is killed", async () => {
  if (!arrow) return;
  await withArchive({
    source: { use: "builtin/generate", config: { rate: "10000/s", json: true } },
    config: { max_file_rows: 1500, row_group_rows: 400 },
  }, async ({ busbar, out }) => {
    for (const crashes of [0, 1, 2, 3]) {
      const before = await fileCount(out);
      await waitFor(async () => await fileCount(out) > before + 1, { what: "files", busbar });
      const { cell } = await busbar.pipeline(
        "p",
        ({ status, restarts }) => status === "running" && restarts === crashes,
      );
      if (crashes < 3) Deno.kill(cell.pid, "SIGKILL");
    }
    assert.equal((await busbar.stop()).code, 0);
    const files = await readParquet(out);
    const rows = files.flatMap(({ rows }) => rows);
    for (const { sequence, payload, source, operation, attributes } of rows) {
      assert.equal(JSON.parse(payload).sequence, sequence);
      assert.deepEqual([source, operation, attributes], ["in", "message", []]);
    }
    const sequences = rows.map(({ sequence }) => sequence).sort((a, b) => a - b);
    assert.deepEqual(sequences, Array.from({ length: rows.length }, (_, index) => index + 1));
    assert.ok(files.length >= 8, `${files.length} files`);
    assert.ok(files.every(({ rows, rowGroups }) => rowGroups === Math.ceil(rows.length / 400)));
    assert.deepEqual(files[0]!.schema, {
      source: "string",
      sequence: "uint64",
      timestamp: "timestamp[ns, tz=UTC]",
      operation: "string",
      key: "binary",
      payload: "binary",
      attributes: "map<string, string ('attributes')>",
    });
    assert.equal(files[0]!.compression, "ZSTD");
    for await (const { name } of Deno.readDir(out)) {
      assert.ok(!/\.(journal|part)$/.test(name), name);
    }
  });
});

Deno.test("parquet-archive takes columns out of JSON, and finishes a file that has become old", async () => {
  if (!arrow) return;
  await withFolder(async (folder) => {
    const lines = [
      `{"host":"a","status":200,"seconds":0.5,"time":"2026-08-01T12:30:00.123456789Z","user":{"id":7}}`,
      `{"host":"b","status":"none"}`,
      `{"host":"c","ok":true,"user":null}`,
      `no JSON`,
    ];
    const file = join(folder, "lines");
    await Deno.writeTextFile(file, lines.map((line) => `${line}\n`).join(""));
    await withArchive({
      source: { use: "file-tail/tail", config: { paths: [file] } },
      config: {
        compression: "snappy",
        max_file_age: "50ms",
        partition_by_date: true,
        columns: [
          { name: "host", type: "string" },
          { name: "status", type: "int64" },
          { name: "seconds", type: "double" },
          { name: "ok", type: "bool" },
          { name: "time", type: "timestamp" },
          { name: "user", type: "json" },
          { name: "user_id", type: "int64", path: "user.id" },
        ],
      },
    }, async ({ busbar, out }) => {
      const files = await waitFor(async () => {
        const files = await readParquet(out);
        return files.flatMap(({ rows }) => rows).length === 2 ? files : undefined;
      }, { what: "rows", busbar });
      const empty = {
        host: null,
        status: null,
        seconds: null,
        ok: null,
        time: null,
        user: null,
        user_id: null,
      };
      assert.deepEqual(files.flatMap(({ rows }) => rows), [
        {
          ...empty,
          host: "a",
          status: 200,
          seconds: 0.5,
          time: "1785587400123456789",
          user: `{"id":7}`,
          user_id: 7,
        },
        { ...empty, host: "c", ok: true },
      ]);
      const { name, compression } = files[0]!;
      assert.match(name, /^date=\d{4}-\d{2}-\d{2}\/events-\d{8}T\d{6}Z-\d{6}\.parquet$/);
      assert.equal(compression, "SNAPPY");
      const { letters } = await waitFor(async () => {
        const page = await busbar.get("/api/v1/pipelines/p/dead-letters");
        return page.letters.length === 2 ? page : undefined;
      }, { what: "dead letters", busbar });
      assert.deepEqual(
        letters.map((
          { code, error }: { code: string; error: string },
        ) => [code, /Cannot take .*/.exec(error)?.[0]]),
        [
          [
            "Invalid",
            'Cannot take column "status" out of the payload: its value is not an integer of 64 bits',
          ],
          ["Invalid", "Cannot take columns out of the payload: it is no JSON object"],
        ],
      );
    });
  });
});

interface Setup {
  source: Record<string, unknown>;
  config: Record<string, unknown>;
}

/** Runs a pipeline of a source and parquet-archive, which writes to the folder `out`. */
async function withArchive(
  { source, config }: Setup,
  action: (running: { busbar: Busbar; out: string }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const out = join(folder, "out");
    const archive = {
      use: "parquet-archive/archive",
      from: "in",
      config: { directory: out, ...config },
    };
    const p = {
      sources: { in: source },
      reactions: { archive },
      checkpoint_interval: "20ms",
      restart: { initial: "1ms", max_restarts: 10 },
    };
    await withBusbar(
      { config: { plugins: PLUGINS, pipelines: { p } } },
      (busbar) => action({ busbar, out }),
    );
  });
}

async function fileCount(folder: string): Promise<number> {
  let count = 0;
  try {
    for await (const { name } of Deno.readDir(folder)) count += name.endsWith(".parquet") ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return count;
}
