import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { type BusbarOutput, runBusbar, writeConfig } from "../support/busbar.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function scriptsBuild(
  cwd: string,
  ...args: string[]
): Promise<Pick<BusbarOutput, "code" | "stdout" | "stderr">> {
  const command = new Deno.Command(join(PROJECT, "scripts/build"), { args, cwd, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** `busbar.yaml` in the folder: from one source to one reaction. */
async function configure(
  folder: string,
  [source, reaction]: [source: Record<string, unknown>, reaction: Record<string, unknown>],
): Promise<string> {
  const pipelines = {
    p: { sources: { in: source }, reactions: { out: { from: "in", ...reaction } } },
  };
  return await writeConfig(folder, { pipelines });
}

Deno.test("scripts/build --builtins builds a binary with only those components beside the whole one", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  try {
    const built = await scriptsBuild(
      folder,
      "--builtins",
      "generate,reaction/file",
      "--output",
      "small",
    );
    assert.equal(built.code, 0, built.stderr);
    assert.match(
      built.stdout,
      /\/small \S+, build [0-9a-f]{12}, with source\/generate, reaction\/file$/m,
    );
    const binary = join(folder, "small");
    const file = join(folder, "events.ndjson");
    const generate = { use: "builtin/generate", config: { count: 1000, payload: "{}" } };
    const write = { use: "builtin/file", config: { path: file } };

    await t.step("it runs a pipeline of them", async () => {
      const config = await configure(folder, [generate, write]);
      const { code, stderr } = await runBusbar(["run", "--until-done", "-c", config], { binary });
      assert.equal(code, 0, stderr);
      assert.equal(await Deno.readTextFile(file), "{}\n".repeat(1000));
    });

    await t.step("it runs config tests, expressions in them too", async () => {
      await configure(folder, [generate, write]);
      const tests = join(folder, "p.test.yaml");
      const expect = { out: [{ cel: "payload.n == 7" }] };
      const test = { name: "seven", input: { in: [{ json: { n: 7 } }] }, expect };
      await Deno.writeTextFile(tests, stringify({ config: "busbar.yaml", tests: [test] }));
      const { code, stdout, stderr } = await runBusbar(["test", tests], { binary });
      assert.equal(code, 0, stdout + stderr);
    });

    await t.step("it lists them, and is another build than the whole binary", async () => {
      const names = ["source/generate", "reaction/file"];
      const list = await runBusbar(["plugin", "list", "--json"], { binary, cwd: folder });
      const [builtin] = JSON.parse(list.stdout);
      const listed = builtin.components.map((one: Record<string, string>) =>
        `${one.kind}/${one.name}`
      );
      assert.deepEqual([builtin.name, listed], ["builtin", names]);

      const [small, whole] = await Promise.all(
        [{ binary }, {}].map(async (which) =>
          JSON.parse((await runBusbar(["version", "--json"], which)).stdout)
        ),
      );
      assert.deepEqual(small.builtins.included, names);
      assert.deepEqual(whole.builtins.leftOut, []);
      assert.deepEqual(
        [...names, ...small.builtins.leftOut].sort(),
        whole.builtins.included.toSorted(),
      );
      assert.notEqual(small.buildId, whole.buildId);
      const packages = (version: typeof whole) =>
        version.dependencies.map((one: { name: string }) => one.name);
      const gone = packages(whole).filter((name: string) => !packages(small).includes(name));
      assert.deepEqual(gone, ["croner", "jose"]);
    });

    await t.step("it refuses others, and says with which it was built", async () => {
      const cron = { use: "builtin/cron", config: { schedule: "* * * * *" } };
      const config = await configure(folder, [cron, write]);
      const { code, stderr } = await runBusbar(["check", "-c", config], { binary });
      assert.equal(code, 2, stderr);
      assert.match(
        stderr,
        /Cannot use source "builtin\/cron" in pipelines\.p\.sources\.in\.use: it is not in this binary, which was built with --builtins source\/generate,reaction\/file\n/,
      );
      assert.match(stderr, /--builtins source\/generate,reaction\/file,source\/cron$/m);
      assert.equal((await runBusbar(["check", "-c", config])).code, 0);
    });

    await t.step("it holds no module that only the others need", async () => {
      const small = await Deno.readFile(binary);
      const whole = await Deno.readFile(join(PROJECT, "dist/busbar"));
      const holds = (bytes: Uint8Array, name: string) =>
        Buffer.from(bytes.buffer).includes(`"${name}.ts"`);
      for (const name of ["cron", "schedules", "window_store", "http_sender", "sse", "auth_jwt"]) {
        assert.deepEqual([holds(whole, name), holds(small, name)], [true, false], name);
      }
      assert.ok(holds(small, "file_reaction") && holds(small, "generate"));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("scripts/build refuses names that it does not know, and to put such a binary in the place of the whole one", async () => {
  const whole = join(PROJECT, "dist/busbar");
  for (
    const [args, message] of [
      [["--builtins", "stdn"], /^build: Cannot build: .*"stdn"; did you mean "stdin"\?$/m],
      [
        ["--builtins", "stdin", "--output", whole],
        /dist\/busbar" is the binary with all components/,
      ],
      [["--builtins", "stdin", "--output", PROJECT], /is a folder; name a file/],
      [["--output", "other"], /--output goes with --builtins/],
      [["--builtin", "stdin"], /Cannot build: Unknown option '--builtin'/],
    ] as [string[], RegExp][]
  ) {
    const { code, stderr } = await scriptsBuild(PROJECT, ...args);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, message);
  }
});
