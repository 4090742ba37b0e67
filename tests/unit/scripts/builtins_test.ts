import assert from "node:assert/strict";
import { join } from "node:path";
import {
  chooseBuiltins,
  copySources,
  importedPackages,
  withoutEntries,
} from "../../../scripts/lib/builtins.ts";
import { PROJECT, run } from "../../../scripts/lib/files.ts";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";

const ALL = BUILTIN_MANIFEST.components.map(({ kind, name }) => `${kind}/${name}`);

Deno.test("chooseBuiltins() takes names with their kind, and without it those of every kind", () => {
  for (
    const [text, included] of [
      ["file", ["source/file", "reaction/file"]],
      ["reaction/file, stdin", ["source/stdin", "reaction/file"]],
      ["rate_limit,hook/rate-limit,", ["hook/rate-limit"]],
      ["none", []],
      [" ", []],
      [ALL.join(","), ALL],
    ] as [string, string[]][]
  ) {
    const choice = chooseBuiltins(text);
    assert.deepEqual(choice.included, included, text);
    assert.deepEqual([...choice.included, ...choice.leftOut].sort(), ALL.toSorted(), text);
  }
});

Deno.test("chooseBuiltins() refuses a name that no component has, and says which was meant", () => {
  const said = 'there is no built-in component "crn"; did you mean "cron"?';
  assert.throws(() => chooseBuiltins("stdin,crn"), { message: `--builtins "stdin,crn": ${said}` });
  assert.throws(() => chooseBuiltins("reaction/cron"), /no built-in component "reaction\/cron"/);
  assert.throws(() => chooseBuiltins("none,stdin"), /no built-in component "none"/);
  assert.throws(() => chooseBuiltins("parquet"), /there are: source\/cron, source\/file, .*cors/);
});

Deno.test("withoutEntries() takes out whole lines, and refuses to take out a part of an entry", () => {
  const table = '  "source/a": async () => (await import("./a.ts")).a,\n' +
    '  "source/a-b": async () => (await import("./b.ts")).b,\n' +
    'export { C as "reaction/c" } from "./c.ts";\n';
  assert.equal(
    withoutEntries(table, ["source/a", "reaction/c"]),
    '  "source/a-b": async () => (await import("./b.ts")).b,\n',
  );
  assert.throws(
    () =>
      withoutEntries('  "source/a": async () =>\n    (await import("./a.ts")).a,\n', ["source/a"]),
    /Cannot leave out source\/a: .* is not a whole entry in one line/,
  );
});

/** Names of the modules in `src/component/builtin/` and `src/http/hooks/` that a program with only these would hold. */
async function modulesWith(
  builtins: string,
): Promise<{ modules: string[]; packages: Set<string>; manifest: string[] }> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_test_" });
  try {
    const { leftOut } = chooseBuiltins(builtins);
    await copySources(PROJECT, folder, { leftOut, files: [] });
    const command = [Deno.execPath(), "info", "--json", "--frozen", "main.ts"];
    const graph = JSON.parse(await run(command, { cwd: folder })) as {
      modules: { specifier: string; error?: string }[];
    };
    assert.deepEqual(graph.modules.filter(({ error }) => error !== undefined), []);
    const found = graph.modules.map(({ specifier }) =>
      /src\/(?:component\/builtin|http\/hooks)\/(.+)\.ts$/.exec(specifier)?.[1]
    );
    const { BUILTIN_MANIFEST } = await import(join(folder, "src/component/builtin/manifest.ts"));
    return {
      modules: found.filter((name) => name !== undefined).sort(),
      packages: await importedPackages(folder),
      manifest: BUILTIN_MANIFEST.components.map((
        { kind, name }: { kind: string; name: string },
      ) => `${kind}/${name}`),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("copySources() makes a program of only the wanted components, their modules and packages", async () => {
  const { modules, packages, manifest } = await modulesWith("cron,discard");
  assert.deepEqual(manifest, ["source/cron", "reaction/discard"]);
  for (const name of ["cron", "schedules", "manifest/cron", "discard", "manifest/discard"]) {
    assert.ok(modules.includes(name), name);
  }
  const others = /filter|map|parse|window|file|stdin|http|sse|profiler|stats|auth|cors|rate_limit/;
  assert.deepEqual(modules.filter((name) => others.test(name)), []);
  const names = new Set([...packages].map((key) => key.slice(0, key.indexOf("@", 1))));
  assert.deepEqual([names.has("croner"), names.has("jose"), names.has("hono")], [
    true,
    false,
    true,
  ]);
});

Deno.test("copySources() makes a program without any built-in component", async () => {
  const { modules, packages, manifest } = await modulesWith("none");
  assert.deepEqual(manifest, []);
  // What shows dead letters writes events as reactions do.
  assert.deepEqual(modules, ["event_text", "manifest", "manifest/mod", "mod"].concat("mod").sort());
  assert.ok(![...packages].some((key) => /^(croner|jose)@/.test(key)));
  // Settings of plugins can be expressions, and what config tests expect.
  assert.ok([...packages].some((key) => key.startsWith("@marcbachmann/cel-js@")));
});
