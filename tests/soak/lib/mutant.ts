import { join } from "node:path";
import { EMBEDDED } from "../../../scripts/lib/build.ts";
import { findRuntime } from "../../../scripts/lib/compile_runtime.ts";
import { PROJECT, run } from "../../../scripts/lib/files.ts";

/** What the binary is compiled from. `dist/` has to be built. */
const PARTS = [
  "main.ts",
  "deno.json",
  "deno.lock",
  "src",
  "ffi",
  "dist/shim",
  "dist/conformance",
  "dist/build_info.json",
];

/** One passage of a file, and what to put in its place. */
export interface Mutation {
  file: string;
  from: string;
  to: string;
}

/** Takes a checkpoint without waiting until what is before it was accepted. */
export const CHECKPOINT_BEFORE_ACCEPTANCE: Mutation = {
  file: "src/pipeline/checkpoints.ts",
  from: "points.every(({ source, sequence }) => source.ledger.sequence >= sequence)",
  to: "true",
};

/**
 * Compiles a busbar with a fault in it, from a copy of the sources in `folder`, and gives its path.
 *
 * @throws {Error} where the passage is not there exactly once
 */
export async function compileMutant(folder: string, mutation: Mutation): Promise<string> {
  await Deno.mkdir(join(folder, "dist"), { recursive: true });
  for (const part of PARTS) await run(["cp", "-r", join(PROJECT, part), join(folder, part)]);
  const file = join(folder, mutation.file);
  const parts = (await Deno.readTextFile(file)).split(mutation.from);
  if (parts.length !== 2) {
    throw new Error(
      `Cannot make the mutant: "${mutation.from}" is ${
        parts.length - 1
      } times in ${mutation.file}, ` +
        "not once; change the mutation along with the code",
    );
  }
  await Deno.writeTextFile(file, parts.join(mutation.to));
  const output = join(folder, "dist/busbar");
  const command = [Deno.execPath(), "compile", "--quiet", "--frozen", "--no-check", "-A"];
  for (const file of EMBEDDED) command.push("--include", file);
  const { path } = await findRuntime(PROJECT, () => {});
  await run([...command, "--v8-flags=--expose-gc", "--output", output, "main.ts"], {
    cwd: folder,
    env: path === undefined ? {} : { DENORT_BIN: path },
  });
  return output;
}
