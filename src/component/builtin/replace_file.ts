import { dirname } from "node:path";

/** Replaces what is in a file, so that a reader sees the old text or the new one. @throws Error that names the file */
export async function replaceFile(path: string, text: string): Promise<void> {
  const next = `${path}.tmp`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(next, text);
    await Deno.rename(next, path);
  } catch (cause) {
    throw new Error(`Cannot write "${path}": ${(cause as Error).message}`, { cause });
  }
}
