import { getLogger } from "@logtape/logtape";
import { join } from "node:path";
import { createApp } from "../admin/app.ts";
import { type AdminServer, serveAdmin, serveAdminSocket } from "../admin/server.ts";
import { buildInfo } from "../build_info.ts";
import type { CellPlugin } from "../cell/protocol.ts";
import { Supervisor } from "../cell/supervisor.ts";
import { formatDiagnostic } from "../config/diagnostic.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { logText } from "../log.ts";
import { storePlugin } from "../plugin/store_copy.ts";
import { lockDataDirectory } from "../store/host_lock.ts";
import { HostStore } from "../store/host_store.ts";
import { isHeld } from "./cell_steering.ts";
import { note } from "./audited.ts";
import { RunningControl } from "./control.ts";
import { prepareDataDirectory } from "./data_directory.ts";
import { type Plan, usedPlugins } from "./plan.ts";
import { Reloads } from "./reload/reloads.ts";
import { HttpListener } from "./http_listener.ts";
import { serviceSource } from "./service_calls.ts";
import type { ServiceSource } from "../admin/services.ts";
import { capitalTitleOf } from "./units.ts";
import { keepRolledBack } from "./reload/rolled_back.ts";
import { RunningPlan } from "./reload/running_plan.ts";
import { StartError } from "./start_error.ts";
import { type StopSignal, watchStopSignals } from "./stop_signals.ts";

const CATEGORY = ["busbar", "host"];

/** How a host is run. */
export interface HostOptions {
  /** End when every enabled pipeline has completed or failed. */
  untilDone: boolean;
  /** Reads the configuration anew, for a reload. */
  load: () => Promise<LoadedConfig>;
  /** Folders with plugins besides those of the configuration. */
  pluginDirs: readonly string[];
  /** A second signal came before everything had stopped; the caller ends the process, and the cells end with it. */
  onImpatience: (signal: StopSignal) => void;
}

/** Why a host has ended: it was told to, or its pipelines have. */
export type HostEnd = "stopped" | "completed" | "failed";

/**
 * Runs a checked configuration: cells, their supervisor and the admin API, until a signal asks to stop or, with `untilDone`, all
 * pipelines have ended. Then everything stops in order.
 *
 * @throws {StartError} when it cannot start; nothing of it runs then
 */
export async function runHost(
  loaded: LoadedConfig,
  checked: Plan,
  options: HostOptions,
): Promise<HostEnd> {
  const { config } = loaded;
  surviveRejections();
  using signals = watchStopSignals(options.onImpatience);
  report(checked);
  const warnings = await prepareDataDirectory(config.data_dir);
  lock(config.data_dir);
  for (const text of warnings) {
    logText(CATEGORY, "warning", { text, properties: {} });
  }
  using store = openStore(config.data_dir);
  const plan = await keepRolledBack(loaded, checked, store);
  const stored = await storePlugins(plan, { dataDirectory: config.data_dir, store });
  const supervisor = await createSupervisor(config, plan, { store, stored });
  const servers: AdminServer[] = [];
  const http = new HttpListener(supervisor);
  try {
    const { data_dir: dataDirectory } = config;
    const running = new RunningPlan({ loaded, plan, stored }, {
      dataDirectory,
      supervisor,
      history: store,
      http,
    });
    await running.removeOldVersions();
    await using reloads = await Reloads.start(running, {
      ...options,
      history: store,
      supervisor,
      audit: (change, result) => note(store, change, { before: null, after: null, result }),
    });
    const control = new RunningControl({
      dataDirectory,
      store,
      supervisor,
      plugins: () => running.pluginViews(),
      reloader: reloads.plugins,
    });
    const services = serviceSource(supervisor, { control, http });
    const address = listen(config, { servers, control, services });
    await startHttp(http, plan);
    supervisor.start();
    control.reportHeld();
    announce(plan, address);
    giveBackMemory();
    const done = supervisor.whenAllCompleted().then(() => "done" as const);
    const reason = await Promise.race([signals.first, ...options.untilDone ? [done] : []]);
    getLogger(CATEGORY).info("busbar stopping", { reason });
    const end = reason === "done" ? outcome(supervisor) : "stopped";
    control.close();
    await http.close();
    await supervisor.stop();
    getLogger(CATEGORY).info("busbar stopped", { end });
    return end;
  } catch (error) {
    await supervisor.stop();
    throw error;
  } finally {
    await Promise.all([...servers, http].map((server) => server.close()));
  }
}

function openStore(dataDirectory: string): HostStore {
  try {
    return HostStore.open(dataDirectory);
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
}

function lock(dataDirectory: string): void {
  try {
    lockDataDirectory(dataDirectory);
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
}

async function createSupervisor(
  config: Config,
  plan: Plan,
  { store, stored }: { store: HostStore; stored: ReadonlyMap<string, CellPlugin> },
): Promise<Supervisor> {
  const { data_dir: dataDirectory } = config;
  try {
    return await Supervisor.create({
      dataDirectory,
      storeDirectory: join(dataDirectory, "plugins"),
      pipelines: plan.pipelines,
      plugins: stored,
      preload: plan.plugins.rules.preload,
      logLevel: config.log.level,
      build: buildInfo().buildId,
      isHeld: (pipeline) => isHeld(store, pipeline),
      onStatus: (pipeline, status) =>
        logText(CATEGORY, status === "failed" ? "error" : "info", {
          text: `${capitalTitleOf(pipeline)} is ${status}`,
          properties: { pipeline, status },
        }),
    });
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
}

/** Copies what the enabled pipelines use to the store, from where alone cells load, and notes the versions. */
async function storePlugins(
  { pipelines, plugins }: Plan,
  { dataDirectory, store }: { dataDirectory: string; store: HostStore },
): Promise<Map<string, CellPlugin>> {
  const used = usedPlugins(pipelines);
  const stored = new Map<string, CellPlugin>();
  try {
    for (const plugin of plugins.plugins.filter(({ name }) => used.has(name))) {
      const { folder, library, digest } = await storePlugin(plugin, { dataDir: dataDirectory });
      const { manifest, abiHash, name } = plugin;
      if (store.current(name)?.digest !== digest) {
        store.use({ name, version: manifest.version, digest, folder });
      }
      stored.set(plugin.name, { manifest, library, directory: folder, abiHash });
    }
    return stored;
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
}

/** Serves the API on the admin socket and, unless it is off, over HTTP; gives the address of the latter. */
function listen(
  { data_dir: dataDirectory, server }: Config,
  { servers, control, services }: {
    servers: AdminServer[];
    control: RunningControl;
    services: ServiceSource;
  },
): string | undefined {
  const { host, port } = server;
  const shown = { pipelines: control, plugins: control, services, control };
  try {
    const socket = createApp({ ...shown, who: "admin socket", host: "localhost" });
    servers.push(serveAdminSocket(socket, dataDirectory));
    if (!server.enabled) return undefined;
    const http = serveAdmin(createApp({ ...shown, host }), { host, port });
    servers.push(http);
    return http.address;
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
}

/** Listens for requests, where the configuration says so. */
async function startHttp(http: HttpListener, plan: Plan): Promise<void> {
  try {
    await http.apply(plan.http);
  } catch (cause) {
    throw new StartError((cause as Error).message, { cause });
  }
  if (http.address !== undefined) console.error(`busbar answers requests on ${http.address}`);
}

/** Logs what is worth a word, but stops nothing. */
function report({ diagnostics, plugins }: Plan): void {
  for (const diagnostic of diagnostics) {
    const { path, severity } = diagnostic;
    const text = formatDiagnostic(diagnostic).split("\n")[0]!;
    logText(CATEGORY, severity, { text, properties: path === "" ? {} : { config: path } });
  }
  for (const { code, path, message } of plugins.problems) {
    logText(CATEGORY, "warning", { text: message, properties: { code, path } });
  }
}

function announce({ pipelines, plugins }: Plan, address: string | undefined): void {
  const { version, buildId } = buildInfo();
  // Whatever the format of the log is, people and scripts find this line.
  if (address !== undefined) console.error(`busbar listening on ${address}`);
  getLogger(CATEGORY).info("busbar ready", {
    version,
    build: buildId,
    pid: Deno.pid,
    pipelines: pipelines.filter(({ enabled, service }) => enabled && !service).length,
    plugins: plugins.plugins.length,
    ...(address === undefined ? {} : { address }),
  });
}

function outcome(supervisor: Supervisor): HostEnd {
  const failed = supervisor.pipelines().filter(({ status }) => status === "failed");
  for (const { id, failure, lastExit } of failed) {
    const why = failure?.message ?? lastExit?.message ?? "see above";
    logText(CATEGORY, "error", {
      text: `Pipeline "${id}" failed: ${why}`,
      properties: { pipeline: id },
    });
  }
  return failed.length > 0 ? "failed" : "completed";
}

/**
 * Collects what reading configuration and plugins left behind, a tenth of the host's memory: V8 would keep it, since an idle
 * host hardly allocates. Only the compiled binary has the function, see scripts/lib/build.ts.
 */
function giveBackMemory(): void {
  const { gc } = globalThis as { gc?: (options: Record<string, string>) => void };
  if (gc === undefined) return;
  const thorough = { type: "major", execution: "sync", flavor: "last-resort" };
  Deno.unrefTimer(setTimeout(() => gc(thorough), 1000));
}

/** A fault in one corner must not end all pipelines. */
function surviveRejections(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    const { reason } = event;
    const text = reason instanceof Error ? reason.stack ?? reason.message : String(reason);
    logText(CATEGORY, "error", { text: `Unexpected: ${text}`, properties: {} });
  });
}
