import { checkState as inspectState, type StateProblem } from "../host/state_check.ts";
import { setAside } from "../store/set_aside.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { dataDirectory, type HostOptions } from "./host_client.ts";
import { paint, printable, printJson } from "./output.ts";
import { takeDataFolder } from "./state_store.ts";

export interface CheckOptions extends HostOptions {
  repair?: boolean;
}

/** `busbar state check`: every problem with its remedy; `--repair` moves damaged databases aside. */
export async function checkState(options: CheckOptions): Promise<ExitCode> {
  const folder = await dataDirectory(options);
  if (!await Deno.stat(folder).then(({ isDirectory }) => isDirectory, () => false)) {
    throw new CommandError(ExitCode.FAILURE, `Cannot find data folder "${folder}"`);
  }
  if (options.repair) takeDataFolder(folder);
  const { checked, problems } = await inspectState(folder);
  const moved = options.repair ? repair(problems) : [];
  const open = problems.filter(({ path }) => !moved.some((one) => one.path === path));
  if (options.json) printJson({ ok: open.length === 0, checked, problems, moved });
  else {
    for (const { message } of problems) console.error(`busbar: ${printable(message)}`);
    for (const { path, aside } of moved) console.error(`busbar: "${path}" is now "${aside}"`);
    if (open.length === 0) console.log(`${paint("ok", "green")}: ${folder}: ${checked} checked`);
  }
  return open.length === 0 ? ExitCode.OK : ExitCode.FAILURE;
}

function repair(problems: StateProblem[]): { path: string; aside: string }[] {
  const damaged = new Set(problems.filter(({ corrupt }) => corrupt).map(({ path }) => path));
  return [...damaged].map((path) => ({ path, aside: setAside(path) }));
}
