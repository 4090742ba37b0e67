/** The plugin projects of this repository, built for tests. */
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { hashFiles, listFiles, PROJECT, whenChanged } from "../../scripts/lib/files.ts";
import { readProject } from "../../src/project/project.ts";
import { toolchainVersion } from "../../src/project/toolchain.ts";

/** Folders with projects, by their paths from the repository's, in which each holds one project or a language's. */
const PLACES = ["plugins", "ffi/examples/word_count", "ffi/examples/pass_through"];

/** Every plugin and SDK example, by its path from the repository. */
export async function projectFolders(): Promise<string[]> {
  const folders: string[] = [];
  for (const place of PLACES) {
    for await (const { name, isDirectory } of Deno.readDir(join(PROJECT, place))) {
      if (isDirectory && !name.startsWith(".")) folders.push(`${place}/${name}`);
    }
  }
  return folders.sort();
}

/** The folder of the plugin that is made of the project in `folder`. An SDK example is built when something has changed. */
export async function buildExample(folder: string): Promise<string> {
  const project = await readProject(join(PROJECT, folder));
  if (folder.startsWith("plugins/")) return join(PROJECT, "dist/plugins", project.name); // scripts/build made it
  const outDir = join(PROJECT, "dist/examples");
  const target = join(outDir, project.name);
  const inputs = await Promise.all([
    listSources(join(PROJECT, folder)),
    listSources(join(PROJECT, "ffi")),
    listFiles(join(PROJECT, "src/project")),
  ]);
  const key = await hashFiles(PROJECT, inputs.flat()) +
    await toolchainVersion(project.language, project.folder);
  await whenChanged({
    stamp: join(PROJECT, "dist/.stamps/examples", project.name),
    key,
    outputs: () => listFiles(target),
  }, async () => void await buildPlugin({ folder: project.folder, outDir }));
  return target;
}

/** Files below `folder`, but for what compilers leave. */
async function listSources(folder: string): Promise<string[]> {
  const files = await listFiles(folder);
  return files.filter((file) => !/\/(target|dist|examples)\//.test(file.slice(folder.length)));
}
