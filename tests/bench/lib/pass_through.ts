import { join } from "node:path";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { PROJECT, run } from "../../../scripts/lib/files.ts";
import { compilerOf, type Language, LANGUAGES } from "../../../src/project/toolchain.ts";

/** The pass-through processor of each SDK, and the program that drives one. */
export interface PassThrough {
  host: string;
  /** Paths of the libraries. */
  libraries: Record<Language, string>;
}

const EXAMPLES = join(PROJECT, "ffi/examples/pass_through");
// The test host's own runner of tests is not used.
const FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"];

/** Builds all of it into `folder`. */
export async function buildPassThrough(folder: string): Promise<PassThrough> {
  const host = join(folder, "sdk_host");
  const source = join(PROJECT, "tests/bench/sdk_host.c");
  const include = `-I${join(PROJECT, "ffi/include")}`;
  await run([compilerOf("c"), ...FLAGS, include, source, "-ldl", "-lpthread", "-o", host]);
  const libraries: Partial<Record<Language, string>> = {};
  for (const language of LANGUAGES) {
    const built = await buildPlugin({ folder: join(EXAMPLES, language), outDir: folder });
    libraries[language] = built.libraryPath;
  }
  return { host, libraries: libraries as Record<Language, string> };
}

/** Nanoseconds for an event that passes through one of the libraries, measured in a process of its own. */
export async function measurePassThrough(
  { host, libraries }: PassThrough,
  language: Language,
  load: { payload: number; batch: number; milliseconds: number },
): Promise<number> {
  const { payload, batch, milliseconds } = load;
  const numbers = [payload, batch, milliseconds].map(String);
  const text = await run([host, libraries[language], ...numbers]);
  const ns = Number(text);
  if (!(ns > 0)) {
    throw new Error(`Cannot measure "${libraries[language]}": the host printed "${text}"`);
  }
  return ns;
}
