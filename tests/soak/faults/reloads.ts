import { pause } from "../lib/processes.ts";
import { FAILING, type Variant } from "../lib/plugins.ts";
import type { Fault, Scene } from "./fault.ts";

const RELOAD_MS = 20_000;

/** What the API says of a cell's reloads, where it does. */
interface Reloads {
  count: number;
  lastGapMs: number | null;
  lastError: unknown;
}

async function reloadsOf({ host }: Scene): Promise<Reloads | undefined> {
  return (await host.get("/api/v1/pipelines/soak"))?.reloads;
}

/** Notes a reload that took place, and how long no events flowed. */
async function noteGap(scene: Scene): Promise<void> {
  scene.reloads++;
  const pipelines: { reloads: Reloads }[] = await scene.host.get("/api/v1/pipelines") ?? [];
  for (const { reloads } of pipelines) {
    scene.longestGap = Math.max(scene.longestGap, reloads.lastGapMs ?? 0);
  }
}

/** A host without it would end at SIGHUP. */
async function cannotReload(scene: Scene): Promise<string | undefined> {
  return await reloadsOf(scene) === undefined ? "the API shows no reloads" : undefined;
}

/** Puts another good version in place and has it taken over. */
const reloadPlugin: Fault = {
  kind: "reload",
  weight: 4,
  exclusive: true,
  unavailable: cannotReload,
  async strike(scene) {
    const { host, plugin, log } = scene;
    await plugin.install(plugin.good === "old" ? "new" : "old");
    const { code, text } = await host.command("reload", "soak");
    log(`reload of ${plugin.good}: ${code} ${text.trim()}`);
    if (code !== 0) return false; // a cell may have been killed meanwhile
    await noteGap(scene);
    return true;
  },
};

/** A version that fails at one step: the one that runs has to go on. */
function failingReload(variant: Variant): Fault {
  return {
    kind: `reload_fails_in_${variant}`,
    weight: 2 / FAILING.length,
    exclusive: true,
    unavailable: cannotReload,
    async strike({ host, plugin, log, problem }) {
      const good = plugin.good;
      await plugin.install(variant);
      const { code, text } = await host.command("reload", "soak");
      await plugin.install(good);
      log(`reload that fails in ${variant}: ${code} ${text.trim()}`);
      if (code === 0) problem(`a version that fails in ${variant} was taken over`);
      return code !== 0;
    },
  };
}

/** Has the configuration read anew; whether the reload took place, undefined when nothing is heard of it. */
async function reloadConfig(scene: Scene): Promise<boolean | undefined> {
  const before = JSON.stringify(await reloadsOf(scene));
  const count = (await reloadsOf(scene))?.count ?? 0;
  Deno.kill(scene.host.pid, "SIGHUP");
  for (const started = performance.now(); performance.now() - started < RELOAD_MS;) {
    await pause(50);
    const now = await reloadsOf(scene);
    if (now === undefined || JSON.stringify(now) === before) continue;
    return now.count > count;
  }
}

let generation = 0;

const changeConfig: Fault = {
  kind: "config_reload",
  weight: 2,
  exclusive: true,
  unavailable: cannotReload,
  async strike(scene) {
    await scene.configure({ generation: ++generation });
    const done = await reloadConfig(scene);
    scene.log(`reload of configuration ${generation}: ${done}`);
    if (done !== true) return false;
    await noteGap(scene);
    return true;
  },
};

function failingConfig(step: "create" | "start"): Fault {
  return {
    kind: `config_reload_fails_in_${step}`,
    weight: 0.5,
    exclusive: true,
    unavailable: cannotReload,
    async strike(scene) {
      await scene.configure({ generation: generation + 1, fail: step });
      const done = await reloadConfig(scene);
      await scene.configure({ generation });
      scene.log(`reload of a configuration that fails in ${step}: ${done}`);
      if (done) scene.problem(`a configuration that fails in ${step} was taken over`);
      return done === false;
    },
  };
}

/** Plugins and configurations that are replaced while events flow; of each a third that fails. */
export const RELOAD_FAULTS: Fault[] = [
  reloadPlugin,
  ...FAILING.map(failingReload),
  changeConfig,
  failingConfig("create"),
  failingConfig("start"),
];
