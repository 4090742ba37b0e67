import { pause, signal } from "../lib/processes.ts";
import type { Random } from "../lib/random.ts";
import type { Fault, Scene } from "./fault.ts";

/** Kills a cell; the host starts it again. */
function killCell(name: "SIGSEGV" | "SIGABRT" | "SIGKILL"): Fault {
  return {
    kind: `cell_${name.slice(3).toLowerCase()}`,
    weight: 3,
    async strike({ host, log }, random) {
      const cells = await host.cells();
      const pid = random.pick(cells);
      if (pid === undefined || !signal(pid, name)) return false;
      log(`${name} to cell ${pid}`);
      return true;
    },
  };
}

/** Kills the host, with all its cells, and starts it again at once. */
const killHost: Fault = {
  kind: "host_kill",
  weight: 3,
  exclusive: true,
  async strike({ host, log }) {
    log(`SIGKILL to host ${host.pid}`);
    await host.killAndRestart();
    return true;
  },
};

async function standStill(pid: number, { log }: Scene, random: Random): Promise<boolean> {
  const time = random.between(100, 1500);
  if (!signal(pid, "SIGSTOP")) return false;
  log(`SIGSTOP to ${pid} for ${time.toFixed()} ms`);
  await pause(time);
  signal(pid, "SIGCONT");
  return true;
}

const stopCell: Fault = {
  kind: "cell_stop",
  weight: 2,
  async strike(scene, random) {
    const pid = random.pick(await scene.host.cells());
    return pid !== undefined && await standStill(pid, scene, random);
  },
};

const stopHost: Fault = {
  kind: "host_stop",
  weight: 1,
  // Not while the same host is killed or asked for something.
  exclusive: true,
  strike: (scene, random) => standStill(scene.host.pid, scene, random),
};

/** Processes that die or stand still. */
export const PROCESS_FAULTS: Fault[] = [
  killCell("SIGSEGV"),
  killCell("SIGABRT"),
  killCell("SIGKILL"),
  killHost,
  stopCell,
  stopHost,
];
