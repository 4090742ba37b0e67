import assert from "node:assert/strict";
import { join } from "node:path";
import { buildSeconds } from "../../../src/project/build_time.ts";
import { buildProject } from "../../../src/project/build.ts";
import { ProjectError } from "../../../src/project/errors.ts";
import { libraryName, readProject } from "../../../src/project/project.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { withFolder } from "../../support/c_program.ts";

const PLUGIN = { name: "tiny", version: "1.0.0", components: [{ kind: "source", name: "one" }] };
const ROOT =
  '#include "busbar.h"\nBUSBAR_EXPORT const void *busbar_plugin(const void *h) { return h; }\n';
const SDK = join(PROJECT, "ffi");

/** Writes files, objects as JSON, into a new folder for as long as `body` runs. */
function withFiles(
  files: Record<string, unknown>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    for (const [name, content] of Object.entries(files)) {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      await Deno.writeTextFile(join(folder, name), text);
    }
    await body(folder);
  });
}

async function refuses(files: Record<string, unknown>, message: RegExp): Promise<void> {
  await withFiles(files, async (folder) => {
    await assert.rejects(
      readProject(folder),
      (error: Error) => error instanceof ProjectError && message.test(error.message),
    );
  });
}

Deno.test("readProject() tells the language by the files and finds the name", async () => {
  const c = { "plugin.json": PLUGIN, "build.json": { language: "cpp", sources: ["a.cpp"] } };
  await withFiles(c, async (folder) => {
    const { language, name } = await readProject(folder);
    assert.deepEqual([language, name], ["cpp", "tiny"]);
  });
  await withFiles({ "plugin.json": PLUGIN, "go.mod": "module tiny\n" }, async (folder) => {
    const { language, name } = await readProject(folder);
    assert.deepEqual([language, name], ["go", "tiny"]);
  });
  const cargo = '[workspace]\nname = "no"\n[package]\nversion = "1.0.0"\nname = "tiny"\n[lib]\n';
  await withFiles({ "Cargo.toml": cargo }, async (folder) => {
    const { language, name } = await readProject(folder);
    assert.deepEqual([language, name], ["rust", "tiny"]);
  });
});

Deno.test("readProject() says what to do about a folder that it cannot use", async () => {
  await refuses({}, /Cannot find a plugin project in ".*busbar plugin new/);
  await refuses({ "go.mod": "", "Cargo.toml": "" }, /Cargo\.toml and go\.mod.*keep one of them/);
  await refuses({ "Cargo.toml": "[workspace]\n" }, /has no name in \[package\]/);
  await refuses({ "go.mod": "module tiny\n" }, /Cannot read ".*plugin\.json": it is not there/);
  await refuses({ "go.mod": "", "plugin.json": "[]" }, /plugin\.json": not a JSON object/);
  await refuses(
    { "go.mod": "", "plugin.json": { ...PLUGIN, name: "Not_One" } },
    /named "Not_One".*plugin\.json.*lower-case letters/,
  );
  await refuses(
    { "plugin.json": PLUGIN, "build.json": { language: "c", sources: [], cflag: [] } },
    /build\.json":[\s\S]*sources[\s\S]*cflag|build\.json":[\s\S]*cflag[\s\S]*sources/,
  );
});

Deno.test('libraryName() has the kind of the only component, else "plugin"', () => {
  const source = { kind: "source", name: "a" };
  assert.equal(libraryName({ name: "a-b", components: [source] }), "libbusbar_source_a_b.so");
  const both = [source, { kind: "hook", name: "b" }];
  assert.equal(libraryName({ name: "a-b", components: both }), "libbusbar_plugin_a_b.so");
});

Deno.test("buildProject() refuses a library that does not export what a plugin must", async () => {
  const build = { language: "c", sources: ["a.c"] };
  const files = { "plugin.json": PLUGIN, "build.json": build, "a.c": "int a;\n" };
  await withFiles(files, async (folder) => {
    const outDir = join(folder, "dist");
    await assert.rejects(
      buildProject({ folder, outDir, sdk: SDK }),
      /library that was built of "tiny": it exports no function "busbar_plugin"; declare the plugin: BUSBAR_PLUGIN in C/,
    );
    await assert.rejects(Deno.stat(outDir), Deno.errors.NotFound);
  });
});

Deno.test("buildProject() links packages of pkg-config and puts bundled libraries beside the plugin", async () => {
  const build = { language: "c", sources: ["a.c"], pkg_config: ["zlib"], bundle: ["libx.so.*"] };
  const source = `${ROOT}#include <zlib.h>\nconst char *version(void) { return zlibVersion(); }\n`;
  const files = { "plugin.json": PLUGIN, "build.json": build, "a.c": source, "libx.so.1": "x" };
  await withFiles(files, async (folder) => {
    const outDir = join(folder, "dist");
    const { libraryPath, manifest } = await buildProject({ folder, outDir, sdk: SDK });
    const bytes = new TextDecoder("latin1").decode(await Deno.readFile(libraryPath));
    assert.match(bytes, /libz\.so\.1\0/);
    assert.match(bytes, /\$ORIGIN\0/);
    const { dependency_hashes } = manifest.build as { dependency_hashes: Record<string, string> };
    assert.ok(Object.keys(dependency_hashes).some((name) => /^(zlib1g|libz)/.test(name)));
    assert.equal(await Deno.readTextFile(join(outDir, "tiny/libx.so.1")), "x");

    const write = (change: object) =>
      Deno.writeTextFile(join(folder, "build.json"), JSON.stringify({ ...build, ...change }));
    await write({ bundle: ["liby.so.*"] });
    await assert.rejects(
      buildProject({ folder, outDir, sdk: SDK }),
      /Cannot bundle "liby\.so\.\*"/,
    );
    await write({ pkg_config: ["no-such-package"] });
    await assert.rejects(
      buildProject({ folder, outDir, sdk: SDK }),
      /Cannot find "no-such-package".*install its development package/,
    );
  });
});

Deno.test("buildProject() says which SDK it looked for", () =>
  withFiles(
    { "plugin.json": PLUGIN, "build.json": { language: "c", sources: ["a.c"] }, "a.c": ROOT },
    async (folder) => {
      await assert.rejects(
        buildProject({ folder, outDir: folder }),
        /Cannot find the SDK of the project in ".*busbar\/include\/busbar\.h"/,
      );
    },
  ));

Deno.test("buildSeconds() is SOURCE_DATE_EPOCH, else the time of the folder's last commit, else 0", () =>
  withFiles({ "a.txt": "a" }, async (folder) => {
    assert.equal(await buildSeconds(folder, { SOURCE_DATE_EPOCH: "86400" }), 86400);
    await assert.rejects(
      buildSeconds(folder, { SOURCE_DATE_EPOCH: "now" }),
      /"now" is not a number/,
    );
    assert.equal(await buildSeconds(folder, {}), 0);
    const git = async (...args: string[]) => {
      const identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
      const env = { GIT_COMMITTER_DATE: "2001-02-03T04:05:06Z", GIT_CONFIG_GLOBAL: "/dev/null" };
      const command = new Deno.Command("git", { args: ["-C", folder, ...identity, ...args], env });
      assert.ok((await command.output()).success);
    };
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-qm", "First");
    assert.equal(await buildSeconds(folder, {}), Date.UTC(2001, 1, 3, 4, 5, 6) / 1000);
  }));
