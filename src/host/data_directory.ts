import { checkExecutableFolder } from "../plugin/store_copy.ts";
import { StartError } from "./start_error.ts";

const OTHERS = 0o077;

/**
 * Makes the data folder, for this user alone, or checks the one that is there.
 *
 * @returns what is worth a warning
 * @throws {StartError} when it cannot be made or written, or nothing may be loaded from it
 */
export async function prepareDataDirectory(path: string): Promise<string[]> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    const probe = await Deno.makeTempFile({ dir: path, prefix: ".probe-" });
    await Deno.remove(probe);
    await checkExecutableFolder(path);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/ \(os error.*$/s, "");
    throw new StartError(
      `Cannot use data folder "${path}": ${reason}; make it writable or choose another data_dir`,
      { cause },
    );
  }
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & OTHERS) === 0) return [];
  const octal = (mode & 0o777).toString(8);
  return [`Data folder "${path}" is open to other users (mode ${octal}): chmod 700 it`];
}
