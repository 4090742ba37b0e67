/** The checks that run none of a plugin's code: for each, a plugin that fails it and no other. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { type BuildOverrides, buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { PROJECT, run } from "../../scripts/lib/files.ts";
import { runStatic, STATIC_CHECKS, staticFinding } from "../../src/conformance/static_child.ts";
import { inspectPlugin } from "../../src/plugin/inspect.ts";
import { compilerOf } from "../../src/project/toolchain.ts";
import { withFolder } from "../support/c_program.ts";

const setting = { description: "A setting", type: "integer", minimum: 1, default: 1 };
const GOOD_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  additionalProperties: false,
  properties: { setting },
  examples: [{ setting: 2 }],
};

function manifestWith(config_schema: Record<string, unknown>) {
  const component = (kind: string) => ({ kind, name: kind, description: "One", config_schema });
  return {
    name: "static-checks",
    version: "1.0.0",
    description: "A plugin",
    license: "Apache-2.0",
    components: ["source", "processor", "reaction"].map(component),
  };
}

interface Mutant {
  manifest?: Record<string, unknown>;
  overrides?: Omit<BuildOverrides, "manifest" | "build">;
  ldflags?: string[];
  /** Text of a second C file. */
  source?: string;
}

const schema = (changes: Record<string, unknown>): Mutant => ({
  manifest: manifestWith({ ...GOOD_SCHEMA, ...changes }),
});

const MUTANTS: Record<string, Mutant> = {
  symbols: { overrides: { omit: ["busbar_abi_hash"] } },
  exports: { source: '__attribute__((visibility("default"))) int extra(void) { return 0; }' },
  "executable-stack": { ldflags: ["-Wl,-z,execstack"] },
  "text-relocations": {
    source: '__asm__(".text\\n.balign 8\\n.quad busbar_plugin\\n");',
    ldflags: ["-Wl,-z,notext"],
  },
  "bind-now": { ldflags: ["-Wl,-z,lazy"] },
  libraries: { ldflags: ["-Wl,--no-as-needed", "GONE"] },
  manifest: { manifest: { version: undefined } },
  "manifest-copy": { overrides: { copy: "{}\n" } },
  "manifest-words": { manifest: { license: undefined } },
  "manifest-build": {
    manifest: { build: { language: "c", toolchain_version: "gcc", build_profile: "release" } },
  },
  compatibility: { manifest: { requires_minor: 99 } },
  schema: schema({ type: 12 }),
  "schema-closed": schema({
    properties: { setting, group: { description: "Open", type: "object", properties: {} } },
  }),
  "schema-words": schema({ properties: { setting: { type: "integer", default: 1 } } }),
  "schema-defaults": schema({ properties: { setting: { ...setting, default: 0 } } }),
  "schema-examples": schema({ examples: [{ setting: 2 }, { setting: "two" }] }),
  settings: schema({
    properties: { setting: { description: "Impossible", not: {} } },
    required: ["setting"],
    examples: undefined,
  }),
};

/** Builds the plugin of `tests/fixtures/plugins/static/` with what is different, and gives its folder to `body`. */
async function withPlugin(mutant: Mutant, body: (plugin: string) => Promise<void>): Promise<void> {
  const { manifest, overrides, ldflags = [], source = "" } = mutant;
  await withFolder(async (folder) => {
    const project = join(folder, "project");
    await Deno.mkdir(project);
    const original = join(PROJECT, "tests/fixtures/plugins/static/static.c");
    await Deno.copyFile(original, join(project, "static.c"));
    await Deno.writeTextFile(join(project, "more.c"), `${source}\n`);
    const gone = join(folder, "built_as_gone.so");
    const link = ["-shared", "-Wl,-soname,libbusbar_gone.so", "-x", "c", "/dev/null", "-o", gone];
    if (ldflags.includes("GONE")) await run([compilerOf("c"), ...link]);
    const { libraryPath } = await buildPlugin({
      folder: project,
      outDir: join(folder, "dist"),
      overrides: {
        ...overrides,
        manifest: { ...manifestWith(GOOD_SCHEMA), ...manifest },
        build: {
          language: "c",
          sources: ["static.c", "more.c"],
          ldflags: ldflags.map((flag) => flag === "GONE" ? gone : flag),
          library: "libbusbar_source_static_checks.so",
        },
      },
    });
    await body(dirname(libraryPath));
  });
}

/** What every check finds, by its name; a component's findings are joined, the worst first. */
async function findings(plugin: string): Promise<Map<string, { verdict: string; seen: string }>> {
  const { manifest } = await inspectPlugin(plugin);
  const found = new Map<string, { verdict: string; seen: string }>();
  for (const { name: check, kinds } of STATIC_CHECKS) {
    const components = kinds === undefined ? [undefined] : manifest?.components ?? [];
    for (const component of components) {
      const finding = await staticFinding({
        plugin,
        check,
        ...(component && { component: component.name }),
      });
      if (found.get(check)?.verdict !== "failed") found.set(check, finding);
    }
  }
  return found;
}

Deno.test("a good plugin passes every check of the file and of its settings", () =>
  withPlugin({}, async (plugin) => {
    for (const [check, { verdict, seen }] of await findings(plugin)) {
      assert.equal(verdict, "passed", `${check}: ${seen}`);
    }
  }));

Deno.test("there is a faulty plugin for each check of the file and of its settings", () => {
  assert.deepEqual(Object.keys(MUTANTS), STATIC_CHECKS.map(({ name }) => name));
});

for (const [check, mutant] of Object.entries(MUTANTS)) {
  Deno.test(`only the check "${check}" fails where that is wrong`, () =>
    withPlugin(mutant, async (plugin) => {
      const failed = [...await findings(plugin)].filter(([, { verdict }]) => verdict === "failed");
      assert.deepEqual(failed.map(([name]) => name), [check], JSON.stringify(failed));
      assert.match(failed[0]![1].seen, /^["A-Za-z]/);
    }));
}

Deno.test("a check of the file runs in a process of its own", () =>
  withPlugin(MUTANTS["bind-now"]!, (plugin) =>
    withFolder(async (folder) => {
      const found = await runStatic({ plugin, check: "bind-now" }, { folder, timeoutMs: 60_000 });
      assert.equal(found.verdict, "failed");
      assert.match(found.seen, /-z now/);
    })));
