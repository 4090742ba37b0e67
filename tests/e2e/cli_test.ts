import assert from "node:assert/strict";
import { join } from "node:path";
import abiVersions from "../../ffi/abi_versions.json" with { type: "json" };
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import type { Diagnostic } from "../../src/config/diagnostic.ts";
import { FAULTS, fixture, PLUGINS } from "../fixtures/build.ts";
import { type BusbarOutput, runBusbar, withBusbar, writeConfig } from "../support/busbar.ts";

const STATIC = new URL("../fixtures/plugins/static/", import.meta.url).pathname;

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_cli_" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Builds a good plugin with more C behind it into `folder/NAME` and gives that path. */
async function buildWith(folder: string, name: string, code: string): Promise<string> {
  const source = await Deno.makeTempDir({ prefix: "busbar_cli_source_" });
  try {
    await Deno.copyFile(join(STATIC, "plugin.json"), join(source, "plugin.json"));
    const text = await Deno.readTextFile(join(STATIC, "static.c"));
    await Deno.writeTextFile(join(source, "static.c"), `${text}\n#include <stdio.h>\n${code}\n`);
    await buildPlugin({
      folder: source,
      outDir: folder,
      overrides: {
        manifest: { name },
        build: {
          language: "c",
          sources: ["static.c"],
          cflags: ["-w"],
          library: `libbusbar_source_${name}.so`,
        },
      },
    });
    return join(folder, name);
  } finally {
    await Deno.remove(source, { recursive: true });
  }
}

function ends(output: BusbarOutput, code: number): void {
  assert.deepEqual([output.code, output.signal], [code, null], output.stderr + output.stdout);
}

const DISCARD = { d: { use: "builtin/discard", from: ["g"] } };

Deno.test("version prints the program's own manifest, without a configuration", () =>
  withFolder(async (cwd) => {
    const plain = await runBusbar(["version"], { cwd });
    ends(plain, 0);
    assert.match(plain.stdout, /^busbar +\d+\.\d+\.\d+$/m);
    const [known] = abiVersions.versions.filter(({ version }) => version === abiVersions.current);
    const output = await runBusbar(["version", "--json"], { cwd });
    ends(output, 0);
    const manifest = JSON.parse(output.stdout);
    assert.deepEqual(manifest.abi, { version: abiVersions.current, hash: known?.hash });
    assert.equal(manifest.target, Deno.build.target);
    assert.equal(manifest.deno, Deno.version.deno);
    for (const field of ["version", "buildId", "v8", "typescript", "dependencies"]) {
      assert.ok(field in manifest, field);
    }
    for (const { name, version, integrity } of manifest.dependencies) {
      assert.ok(name && version, JSON.stringify({ name, version }));
      assert.match(integrity, /^sha512-/);
    }
  }));

Deno.test("wrong usage ends with 2 and says what was meant", async () => {
  for (
    const [args, message] of [
      [["versin"], /unknown command 'versin'\n\(Did you mean version\?\)/],
      [["plugin", "inspct", "x"], /Did you mean inspect\?/],
      [["run", "--prot", "1"], /unknown option '--prot'\n\(Did you mean --port\?\)/],
      [["plugin", "inspect"], /missing required argument 'file'/],
      [["plugin", "validate", "x", "--timeout", "soon"], /Expected seconds/],
      [[], /Usage: busbar/],
    ] as const
  ) {
    const output = await runBusbar([...args]);
    ends(output, 2);
    assert.match(output.stderr, message);
    assert.equal(output.stdout, "");
  }
});

Deno.test("--help is no error and goes to standard output", async () => {
  const output = await runBusbar(["run", "--help"]);
  ends(output, 0);
  for (const option of ["--until-done", "--plugin-dir", "--set", "--json", "--no-color"]) {
    assert.match(output.stdout, new RegExp(option));
  }
});

Deno.test("run and check without any configuration say where they looked", () =>
  withFolder(async (cwd) => {
    for (const command of ["run", "serve", "check"]) {
      const output = await runBusbar([command], { cwd });
      ends(output, 2);
      assert.match(
        output.stderr,
        /neither "busbar\.yaml" nor "\/etc\/busbar\/busbar\.yaml" exists/,
      );
    }
    const missing = await runBusbar(["check", "-c", "absent.yaml"], { cwd });
    ends(missing, 2);
    assert.match(missing.stderr, /Cannot read configuration "absent\.yaml": there is no such file/);
  }));

Deno.test("check finds busbar.yaml in the working directory and accepts it", () =>
  withFolder(async (cwd) => {
    await writeConfig(cwd, {
      pipelines: { one: { sources: { g: { use: "builtin/generate" } }, reactions: DISCARD } },
    });
    const output = await runBusbar(["check", "--plugin-dir", PLUGINS], { cwd });
    ends(output, 0);
    assert.match(output.stdout, /^ok: busbar\.yaml: 1 enabled pipeline, \d+ plugins?\b/);
    assert.equal(
      await Deno.stat(join(cwd, "data")).catch(() => null),
      null,
      "makes no data folder",
    );
  }));

Deno.test("check prints every error with line, column, caret and suggestion, and ends with 2", () =>
  withFolder(async (cwd) => {
    await writeConfig(
      cwd,
      `prot: 1
pipelines:
  one:
    sources:
      g: { use: builtin/genrate }
    reactions:
      d: { use: builtin/discard, from: [h] }
`,
    );
    const first = await runBusbar(["check"], { cwd });
    ends(first, 2);
    assert.match(first.stderr, /^busbar\.yaml:1:1: error: /m);
    await Deno.writeTextFile(
      join(cwd, "busbar.yaml"),
      (await Deno.readTextFile(join(cwd, "busbar.yaml"))).replace("prot: 1\n", ""),
    );
    const output = await runBusbar(["check"], { cwd });
    ends(output, 2);
    assert.match(
      output.stderr,
      /^busbar\.yaml:4:17: error: .*genrate.*\n +4 \| .*\n +\| +\^+\n.*generate/m,
    );
    assert.match(output.stderr, /^busbar\.yaml:6:41: error: .*"h"/m);

    const json = await runBusbar(["check", "--json"], { cwd });
    ends(json, 2);
    const { ok, diagnostics } = JSON.parse(json.stdout);
    assert.equal(ok, false);
    const errors = diagnostics.filter(({ severity }: Diagnostic) => severity === "error");
    assert.deepEqual(errors.map(({ line, column }: Diagnostic) => [line, column]), [[4, 17], [
      6,
      41,
    ]]);
  }));

Deno.test("check, list and inspect run no code of a plugin, validate does", () =>
  withFolder(async (folder) => {
    const marker = join(folder, "marker");
    const plugin = await buildWith(
      join(folder, "plugins"),
      "marking",
      `__attribute__((constructor)) static void mark(void) { fclose(fopen("${marker}", "w")); }`,
    );
    const config = await writeConfig(folder, {
      plugins: { directories: [join(folder, "plugins")] },
      pipelines: { one: { sources: { g: { use: "marking/source" } }, reactions: DISCARD } },
    });
    for (
      const args of [
        ["check", "-c", config],
        ["plugin", "list", "-c", config],
        ["plugin", "inspect", plugin],
      ]
    ) {
      ends(await runBusbar(args), 0);
      assert.equal(await Deno.stat(marker).catch(() => null), null, args.join(" "));
    }
    ends(await runBusbar(["plugin", "validate", plugin]), 0);
    assert.ok((await Deno.stat(marker)).isFile);
  }));

Deno.test("a refused plugin is named beside the error that it leads to", () =>
  withFolder(async (folder) => {
    await fixture("hash-unknown");
    const config = await writeConfig(folder, {
      pipelines: { one: { sources: { g: { use: "hash-unknown/source" } }, reactions: DISCARD } },
    });
    const output = await runBusbar(["check", "-c", config, "--plugin-dir", FAULTS]);
    ends(output, 2);
    assert.match(output.stderr, /Cannot load plugin "hash-unknown" from ".*": ABI hash differs/);
    assert.match(output.stderr, /error: Unknown plugin "hash-unknown"/);
  }));

Deno.test("plugin list shows what there is and what is refused", () =>
  withFolder(async (cwd) => {
    await fixture("probe");
    const args = ["plugin", "list", "--plugin-dir", PLUGINS, "--plugin-dir", FAULTS];
    const output = await runBusbar(args, { cwd });
    ends(output, 0);
    assert.match(output.stdout, /^NAME +VERSION +STATE +COMPONENTS +PATH$/m);
    assert.match(output.stdout, /^probe +1\.0\.0 +ok +source numbers, /m);
    assert.match(output.stdout, /^hash-unknown +1\.0\.0 +refused /m);
    const json = await runBusbar([...args, "--json"], { cwd });
    const names = JSON.parse(json.stdout).map(({ name }: { name: string }) => name);
    assert.ok(names.includes("builtin") && names.includes("probe"), names.join());
  }));

Deno.test("without any folder, the plugins beside the binary are found", () =>
  withFolder(async (cwd) => {
    const output = await runBusbar(["plugin", "list"], { cwd });
    ends(output, 0);
    assert.match(output.stdout, /^access-log +1\.0\.0 +ok /m);
  }));

Deno.test("strict compatibility takes what the distribution built, and nothing else", () =>
  withFolder(async (folder) => {
    await fixture("probe");
    const config = await writeConfig(folder, { plugins: { compatibility: "strict" } });
    const own = await runBusbar(["plugin", "list", "-c", config]);
    assert.match(own.stdout, /^access-log +1\.0\.0 +ok /m);
    const other = await runBusbar(["plugin", "list", "-c", config, "--plugin-dir", PLUGINS]);
    assert.match(other.stdout, /^probe +1\.0\.0 +refused /m);
    assert.match(
      other.stderr,
      /toolchain_version differs: .*build lock does not list plugin "probe"/,
    );
  }));

Deno.test("plugin validate loads what the configuration preloads first", () =>
  withFolder(async (folder) => {
    const { libraryPath } = await fixture("shared-rt");
    const { folder: plugin } = await fixture("needs-preloaded-symbol");
    const config = await writeConfig(folder, { plugins: { preload: [libraryPath] } });
    ends(await runBusbar(["plugin", "validate", plugin, "-c", config]), 0);
    const without = await runBusbar(["plugin", "validate", plugin]);
    ends(without, 1);
    assert.match(without.stderr, /undefined symbol "busbar_shared_rt_value"/);
  }));

Deno.test("plugin list goes on without a default configuration that is broken", () =>
  withFolder(async (cwd) => {
    await Deno.writeTextFile(join(cwd, "busbar.yaml"), "nonsense: 1\n");
    const output = await runBusbar(["plugin", "list"], { cwd });
    ends(output, 0);
    assert.match(output.stderr, /busbar\.yaml:1:1: error: .*\n/);
    assert.match(output.stdout, /^builtin /m);
    ends(await runBusbar(["plugin", "list", "-c", "busbar.yaml"], { cwd }), 2);
  }));

Deno.test("plugin inspect prints all of a good plugin", async () => {
  const { folder } = await fixture("probe");
  const output = await runBusbar(["plugin", "inspect", folder]);
  ends(output, 0);
  for (
    const line of [
      /^plugin +probe 1\.0\.0$/m,
      /^SONAME +none$/m,
      /^glibc +2\.\d+ or newer$/m,
      /^ABI hash +[0-9a-f]{64}$/m,
      /^ {2}source numbers\b/m,
      /^ {2}function busbar_plugin$/m,
      /^ {2}libc\.so\.6 => \/.+$/m,
      /^Verdict: accepted$/m,
    ]
  ) assert.match(output.stdout, line);
});

Deno.test("plugin inspect ends with 1 and the reason for what it refuses", () =>
  withFolder(async (folder) => {
    const { folder: library } = await fixture("library-missing");
    const refused = await runBusbar(["plugin", "inspect", library]);
    ends(refused, 1);
    assert.match(refused.stdout, /libbusbar_absent\.so => MISSING, needed by /);
    assert.match(refused.stdout, /^Verdict: refused$/m);

    const file = join(folder, "libbusbar_source_x.so");
    await Deno.writeTextFile(file, "\x7fELF then nothing");
    for (const path of [file, folder, join(folder, "absent.so")]) {
      const output = await runBusbar(["plugin", "inspect", path]);
      ends(output, 1);
      assert.match(output.stderr, /^busbar: Cannot .*$/m);
      assert.doesNotMatch(output.stderr, /\bat .*\.ts:\d+/, "no stack trace");
      const json = await runBusbar(["plugin", "inspect", "--json", path]);
      ends(json, 1);
      assert.equal(JSON.parse(json.stdout).verdict.ok, false);
    }
  }));

Deno.test("plugin validate takes a path or a name, and compares tables with the manifest", async () => {
  const { folder } = await fixture("static-good");
  const path = await runBusbar(["plugin", "validate", folder]);
  ends(path, 0);
  assert.match(
    path.stdout,
    /^ok: static-good: source source, processor processor, reaction reaction$/m,
  );
  ends(await runBusbar(["plugin", "validate", "static-good", "--plugin-dir", FAULTS]), 0);

  const differs = await runBusbar(["plugin", "validate", "poll-null", "--plugin-dir", FAULTS]);
  ends(differs, 1);
  assert.match(differs.stderr, /component "source" lacks "poll"/);
  const unknown = await runBusbar(["plugin", "validate", "nothing", "--plugin-dir", FAULTS]);
  ends(unknown, 1);
  assert.match(unknown.stderr, /Cannot find plugin "nothing" in ".*"/);
});

Deno.test("plugin validate names the signal of a library that crashes", async () => {
  const { folder } = await fixture("crash-at-load");
  const output = await runBusbar(["plugin", "validate", folder, "--json"]);
  ends(output, 1);
  const { ok, problem } = JSON.parse(output.stdout);
  assert.equal(ok, false);
  assert.equal(problem.code, "Crashed");
  assert.match(problem.message, /^Cannot load plugin "crash-at-load" from ".*": .*SIGABRT$/);
});

Deno.test("plugin validate survives libraries that hang, exit, or leave a process behind", () =>
  withFolder(async (folder) => {
    const constructor = (body: string) =>
      `__attribute__((constructor)) static void misbehave(void) { ${body} }`;
    const hang = await buildWith(folder, "hang", constructor("for (;;) pause();"));
    const late = await runBusbar(["plugin", "validate", hang, "--timeout", "0.5"]);
    ends(late, 1);
    assert.match(late.stderr, /loading it takes longer than 0\.5 s/);

    const bye = 'puts("bye"); fflush(stdout); _exit(0);';
    const exit = await buildWith(folder, "exits", constructor(bye));
    const gone = await runBusbar(["plugin", "validate", exit]);
    ends(gone, 1);
    assert.match(gone.stderr, /It printed:\nbye\nbusbar: .* its process ended with exit code 0/);

    const fork = await buildWith(
      folder,
      "forks",
      constructor("if (fork() == 0) for (;;) pause();"),
    );
    ends(await runBusbar(["plugin", "validate", fork]), 0);
    const session = constructor("if (fork() == 0) { setsid(); sleep(5); _exit(0); }");
    ends(await runBusbar(["plugin", "validate", await buildWith(folder, "leaves", session)]), 0);
  }));

Deno.test("plugin check goes through a folder and ends with 1 if any plugin is bad", () =>
  withFolder(async (folder) => {
    await buildWith(folder, "good", "");
    const good = await runBusbar(["plugin", "check", folder]);
    ends(good, 0);
    assert.match(
      good.stdout,
      /^PLUGIN +VERSION +INSPECTION +LOADING +PROBLEM\ngood +1\.0\.0 +ok +ok +-$/m,
    );

    await buildWith(
      folder,
      "bad",
      "__attribute__((constructor)) static void die(void) { abort(); }",
    );
    await Deno.writeTextFile(join(folder, "libbusbar_hook_text.so"), "text");
    const output = await runBusbar(["plugin", "check", folder]);
    ends(output, 1);
    assert.match(output.stdout, /^bad +1\.0\.0 +ok +refused Crashed$/m);
    assert.match(output.stdout, /^libbusbar_hook_text\.so - +refused +- +NotALibrary$/m);
    assert.match(output.stdout, /^good /m);
    const json = JSON.parse((await runBusbar(["plugin", "check", folder, "--json"])).stdout);
    assert.equal(json.ok, false);
    assert.equal(json.plugins.length, 3);
  }));

Deno.test("completions prints scripts, and the shell gets its suggestions", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const output = await runBusbar(["completions", shell]);
    ends(output, 0);
    assert.match(output.stdout, /busbar complete --/, shell);
  }
  ends(await runBusbar(["completions", "tcsh"]), 2);
  const output = await runBusbar(["complete", "--", "plugin", "v"]);
  assert.match(output.stdout, /^validate\t/m);
});

Deno.test("health asks a running host", async () => {
  const absent = await runBusbar(["health", "--url", "http://127.0.0.1:1"]);
  ends(absent, 1);
  assert.match(absent.stdout, /^alive +no answer: /m);
  ends(await runBusbar(["health", "--url", "nonsense"]), 2);
  const config = {
    pipelines: { one: { sources: { g: { use: "builtin/generate" } }, reactions: DISCARD } },
  };
  await withBusbar({ config }, async (busbar) => {
    await busbar.pipeline("one", ({ status }) => status === "running");
    ends(await runBusbar(["health", "--url", busbar.address!]), 0);
    const output = await runBusbar(["health", "--json"], { env: { BUSBAR_URL: busbar.address! } });
    ends(output, 0);
    assert.equal(JSON.parse(output.stdout).ok, true);
  });
});
