import { fileURLToPath } from "node:url";
import { statOrNothing, writeAtomic } from "../../src/project/files.ts";

export {
  commandExists,
  hashFiles,
  listFiles,
  run,
  sha256,
  statOrNothing,
  writeAtomic,
} from "../../src/project/files.ts";

/** The project's folder. */
export const PROJECT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Options of {@linkcode whenChanged}. */
export interface StepOptions {
  /** File that remembers the last run. */
  stamp: string;
  /** Hash of everything the step reads. */
  key: string;
  /** Files the step writes, or what lists them. */
  outputs: string[] | (() => Promise<string[]>);
}

/**
 * Runs `action`, unless its last run had the same key and its outputs are still as that run left them.
 *
 * @returns whether it ran
 */
export async function whenChanged(
  options: StepOptions,
  action: () => Promise<void>,
): Promise<boolean> {
  const { stamp, key, outputs } = options;
  const before = await Deno.readTextFile(stamp).catch(() => "");
  if (before && before === await stampText(key, outputs)) return false;
  await action();
  await writeAtomic(stamp, await stampText(key, outputs));
  return true;
}

async function stampText(key: string, outputs: StepOptions["outputs"]): Promise<string> {
  const paths = typeof outputs === "function" ? await outputs() : outputs;
  const states = await Promise.all(paths.map(async (path) => {
    const info = await statOrNothing(path);
    return info ? `${info.size} ${info.mtime?.getTime()}` : "missing";
  }));
  return [key, ...states].join("\n") + "\n";
}

/** Runs a script's main function; an error is printed without a stack trace and ends the process with 1. */
export async function main(script: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    console.error(`${script}: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
