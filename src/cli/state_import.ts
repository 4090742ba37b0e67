import { type HostState, parseHostState } from "../store/host_state.ts";
import { HostStore } from "../store/host_store.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { dataDirectory, type HostOptions } from "./host_client.ts";
import { printJson } from "./output.ts";
import { reported, takeDataFolder } from "./state_store.ts";

/** `busbar state import FILE|-`: all of it or nothing, while no host runs. */
export async function importState(file: string, options: HostOptions): Promise<ExitCode> {
  const state = await readState(file);
  const folder = await dataDirectory(options);
  reported(folder, () => Deno.mkdirSync(folder, { recursive: true, mode: 0o700 }));
  takeDataFolder(folder);
  reported(folder, () => {
    using store = HostStore.open(folder);
    store.import(state);
    const { plugins, versions, desired } = state;
    store.audit({
      who: "command line",
      action: "state.import",
      target: "host",
      before: null,
      after: { plugins: plugins.length, versions: versions.length, desired: desired.length },
      result: "ok",
    });
  });
  const { plugins, desired } = state;
  if (options.json) printJson({ plugins: plugins.length, desired: desired.length });
  else {
    const plugin = plugins.length === 1 ? "plugin" : "plugins";
    const state = desired.length === 1 ? "desired state" : "desired states";
    console.log(`Imported ${plugins.length} ${plugin} and ${desired.length} ${state}`);
  }
  return ExitCode.OK;
}

async function readState(file: string): Promise<HostState> {
  try {
    const text = file === "-"
      ? await new Response(Deno.stdin.readable).text()
      : await Deno.readTextFile(file);
    return parseHostState(text);
  } catch (error) {
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot import "${file}": ${(error as Error).message}; nothing was changed`,
    );
  }
}
