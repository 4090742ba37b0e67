import { HostStore } from "../store/host_store.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { dataDirectory, type HostOptions } from "./host_client.ts";
import { printJson } from "./output.ts";
import { openStore } from "./state_store.ts";

/** `busbar state export FILE|-`: also while a host runs. */
export async function exportState(file: string, options: HostOptions): Promise<ExitCode> {
  const folder = await dataDirectory(options);
  using store = openStore(folder);
  const text = `${JSON.stringify(store.export(), null, 2)}\n`;
  if (file === "-") {
    await writeAll(text);
    return ExitCode.OK;
  }
  const temporary = `${file}.${crypto.randomUUID()}`;
  try {
    // Settings may hold what is not for everyone.
    await Deno.writeTextFile(temporary, text, { mode: 0o600 });
    await Deno.rename(temporary, file);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot write "${file}": ${(error as Error).message}`,
    );
  }
  if (options.json) printJson({ file });
  else console.log(`State of "${HostStore.pathIn(folder)}" is in ${file}`);
  return ExitCode.OK;
}

async function writeAll(text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
