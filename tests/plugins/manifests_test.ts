import assert from "node:assert/strict";
import { join } from "node:path";
import { checkManifests } from "../../scripts/lib/check_manifests.ts";
import { checkProjects, projectFolders } from "../../scripts/lib/check_projects.ts";
import { statOrNothing } from "../../scripts/lib/files.ts";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { type JsonObject, readProject } from "../../src/project/project.ts";
import { PROJECT, withFolder } from "../support/c_program.ts";

Deno.test("every manifest in dist/plugins agrees with its toolchain, target and lock files", async () => {
  assert.deepEqual(await checkManifests(PROJECT), []);
});

Deno.test("every plugin project declares what it must", async () => {
  await withFolder(async (folder) => {
    const built: Record<string, JsonObject> = {};
    for (const project of await projectFolders(PROJECT)) {
      const { language, name } = await readProject(project);
      if (language !== "rust") continue;
      const manifest = join(PROJECT, "dist/plugins", name, "manifest.json");
      // Examples are not part of the distribution; their SDK and its crates are compiled once for all tests.
      if (project.includes("/ffi/examples/")) {
        built[name] = (await buildPlugin({ folder: project, outDir: folder })).manifest;
      } else if (await statOrNothing(manifest)) {
        built[name] = JSON.parse(await Deno.readTextFile(manifest));
      }
    }
    assert.deepEqual(await checkProjects({ root: PROJECT, built }), []);
  });
});

Deno.test("checkProjects() lists everything that a project leaves out, with the file", async () => {
  await withFolder(async (root) => {
    await Deno.mkdir(join(root, "plugins/x"), { recursive: true });
    await Deno.mkdir(join(root, "tests"));
    await Deno.mkdir(join(root, "ffi/examples"), { recursive: true });
    const write = (name: string, value: unknown) =>
      Deno.writeTextFile(join(root, "plugins/x", name), JSON.stringify(value));
    const component = {
      kind: "source",
      name: "main",
      config_schema: { type: "object", properties: { size: { type: "integer" } } },
    };
    await write("plugin.json", { name: "x", version: "1.0.0", components: [component] });
    await write("build.json", { language: "c", sources: ["/opt/x.c"], cflags: ["-I../../../y"] });
    const found = await checkProjects({ root });
    for (
      const expected of [
        'plugins/x/plugin.json: "description" is missing',
        'plugins/x/plugin.json: "license" is missing',
        'component "source main" has no description',
        'config_schema takes unknown properties; add "additionalProperties": false',
        "config_schema.size has no description",
        "plugins/x/README.md: is missing",
        "has no tests",
        'plugins/x/build.json: "/opt/x.c" lies outside of the repository',
        '"../../../y" lies outside of the repository',
      ]
    ) assert.ok(found.some((line) => line.includes(expected)), `${expected}\n${found.join("\n")}`);
    assert.equal(found.length, 9, found.join("\n"));
    await Deno.writeTextFile(join(root, "plugins/x/README.md"), "Nothing.\n");
    const again = await checkProjects({ root });
    assert.ok(
      again.includes("plugins/x/README.md: has no example; add a block of YAML, JSON or commands"),
    );
    assert.ok(again.includes('plugins/x/README.md: does not say what "size" is for; describe it'));
  });
});

Deno.test("checkManifests() tells of a manifest that is not of this toolchain, and of one that no project makes", async () => {
  await withFolder(async (root) => {
    const dist = join(root, "dist/plugins");
    const source = join(PROJECT, "plugins/access_log");
    await Deno.mkdir(dist, { recursive: true });
    await Deno.mkdir(join(root, "ffi/examples"), { recursive: true });
    await Deno.mkdir(join(root, "plugins/access_log"), { recursive: true });
    const { manifest } = await buildPlugin({ folder: source, outDir: dist });
    for (const file of ["plugin.json", "build.json"]) {
      await Deno.copyFile(join(source, file), join(root, "plugins/access_log", file));
    }
    const lock = join(root, "dist/build.lock");
    await Deno.writeTextFile(lock, JSON.stringify({ plugins: { "access-log": manifest.build } }));
    assert.deepEqual(await checkManifests(root), []);

    const build = manifest.build as { toolchain_version: string };
    const other = { ...build, toolchain_version: "gcc 1.0" };
    await Deno.writeTextFile(lock, JSON.stringify({ plugins: { "access-log": other } }));
    await Deno.remove(join(root, "plugins/access_log/plugin.json"));
    await Deno.writeTextFile(
      join(root, "plugins/access_log/plugin.json"),
      JSON.stringify({ name: "access-log" }),
    );
    const file = "dist/plugins/access-log/manifest.json";
    assert.deepEqual(await checkManifests(root), [
      `${file}: differs from its entry in dist/build.lock; run scripts/build`,
    ]);
    // The same change of the manifest and of its copy in the library, as another compiler would have made.
    await replaceText(join(dist, "access-log"), build.toolchain_version, "x");
    await replaceText(join(dist, "access-log"), "libc6@", "x");
    const found = await checkManifests(root);
    for (
      const expected of [
        `${file}: build.toolchain_version is "x${
          build.toolchain_version.slice(1)
        }", and here it is`,
        `${file}: depends on "xibc6@`,
        `${file}: differs from its entry in dist/build.lock`,
      ]
    ) assert.ok(found.some((line) => line.startsWith(expected)), found.join("\n"));
    await Deno.rename(join(dist, "access-log"), join(dist, "other"));
    assert.deepEqual(await checkManifests(root), [
      'dist/plugins/other/manifest.json: no project makes a plugin "other"; remove its folder from dist/plugins',
    ]);
  });
});

/** Replaces the first byte of `text` by `first` in every file of `folder`, which keeps all sizes. */
async function replaceText(folder: string, text: string, first: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const bytes = await Deno.readFile(join(folder, name));
    const all = new TextDecoder("latin1").decode(bytes);
    for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1)) {
      bytes[at] = first.charCodeAt(0);
    }
    await Deno.writeFile(join(folder, name), bytes);
  }
}
