import { COMPLETIONS, RecorderComponentLayout } from "../../ffi/recorder_layout.ts";
import { loadShim } from "../../ffi/shim.ts";
import { BuiltinInstance } from "../component/builtin.ts";
import { BUILTIN_FACTORIES } from "../component/builtin/mod.ts";
import type { CellLog } from "../component/cell_log.ts";
import type { Completion, Instance } from "../component/component.ts";
import { NativeInstance } from "../component/native.ts";
import { type LoadedPlugin, loadPluginLibrary } from "../component/plugin_library.ts";
import type { ResolvedComponent } from "../config/resolved.ts";
import { ComponentError, Pipeline } from "../pipeline/pipeline.ts";
import { PluginError } from "../plugin/errors.ts";
import { fileError } from "../store/errors.ts";
import { PipelineStore } from "../store/pipeline_store.ts";
import type { CellRecorder } from "../../ffi/flight_recorder.ts";
import type { CellMessage, CellPlugin, CellSpec } from "./protocol.ts";
import type { CellPipeline, ComponentFailure } from "../pipeline/spec.ts";
import { mappedLibraries } from "./mapped_libraries.ts";
import { Scheduler } from "./scheduler.ts";
import type { Completions } from "./completions.ts";
import type { Sleeper } from "./sleeper.ts";

/** How long a cell stands still for another process that writes to a pipeline's database; then it is tried again later. */
const BUSY_MS = 1_000;

export interface CellServices {
  recorder: CellRecorder;
  /** Where the recorder is mapped. */
  recorderAddress: bigint;
  log: CellLog;
  sleeper: Sleeper;
  completions: Completions;
  send(message: CellMessage): Promise<void>;
  /** Ends the cell over a failure. */
  fatal(failure: ComponentFailure): void;
}

/**
 * Loads the plugins of a cell and makes its components and pipelines, none of them created or started yet.
 *
 * @throws {PluginError} when a library cannot be loaded
 */
export async function assemble(spec: CellSpec, services: CellServices): Promise<Scheduler> {
  preload(spec.preload);
  const plugins = new Map<string, LoadedPlugin>();
  for (const [name, plugin] of Object.entries(spec.plugins)) {
    plugins.set(name, loadPluginLibrary(plugin));
  }
  services.recorder.noteLibraries(mappedLibraries([spec.storeDirectory, ...spec.preload]));
  const scheduler = new Scheduler(services);
  const reactions = spec.pipelines.flatMap(({ pipeline }) => pipeline.components)
    .filter(({ kind }) => kind === "reaction").length;
  const maxPending = Math.max(1, Math.min(64, Math.floor(COMPLETIONS / Math.max(1, reactions))));
  let nextIndex = 0;
  let firstSource = 0;
  for (const pipeline of spec.pipelines) {
    const instances: Instance[] = [];
    for (const component of pipeline.pipeline.components) {
      const index = nextIndex++;
      instances.push(
        component.plugin === "builtin"
          ? await makeBuiltin(component, pipeline, { index, services, scheduler })
          : makeNative(component, pipeline, {
            index,
            services,
            plugin: spec.plugins[component.plugin]!,
            loaded: plugins.get(component.plugin)!,
          }),
      );
    }
    scheduler.add((hooks) =>
      new Pipeline({
        spec: pipeline,
        instances,
        recorder: services.recorder,
        firstSource,
        suspects: spec.suspects,
        openStore: () => PipelineStore.open(pipeline.storePath, { busyTimeout: BUSY_MS }),
        maxPending,
        log: (level, message, fields) => services.log.write(level, message, fields),
        onFatal: services.fatal,
        ...hooks,
      })
    );
    firstSource += instances.filter(({ kind }) => kind === "source").length;
  }
  return scheduler;
}

function preload(paths: readonly string[]): void {
  for (const path of paths) {
    const message = loadShim().bb_preload(new TextEncoder().encode(`${path}\0`));
    if (message === null) continue;
    const reason = Deno.UnsafePointerView.getCString(message);
    throw new PluginError(
      "LoadFailed",
      `Cannot preload "${path}" from plugins.preload: ${reason}; correct or remove the entry`,
      { path },
    );
  }
}

function makeNative(
  component: ResolvedComponent,
  pipeline: CellPipeline,
  options: { index: number; services: CellServices; plugin: CellPlugin; loaded: LoadedPlugin },
): NativeInstance {
  const { index, services, plugin, loaded } = options;
  const table = loaded.tables.get(component.component);
  const described = loaded.manifest.components.find(({ name }) => name === component.component);
  if (table === undefined || described === undefined) {
    throw new PluginError(
      "ManifestDiffers",
      `Cannot make component "${component.id}": plugin "${component.plugin}" has no "${component.component}"`,
      { path: plugin.library },
    );
  }
  const dataDirectory = makeDataDirectory(pipeline, component);
  return new NativeInstance({
    id: component.id,
    pipelineId: pipeline.pipeline.id,
    plugin: component.plugin,
    index,
    blocking: component.blocking,
    outputs: component.outputs,
    tickInterval: described.tick_ms ?? 0,
    table,
    config: JSON.stringify(component.config),
    pluginDirectory: plugin.directory,
    dataDirectory,
    partitionIndex: pipeline.partitionIndex,
    partitionCount: pipeline.partitionCount,
    record: services.recorderAddress +
      BigInt(services.recorder.plan.componentsAt + index * RecorderComponentLayout.size),
  });
}

async function makeBuiltin(
  component: ResolvedComponent,
  pipeline: CellPipeline,
  options: { index: number; services: CellServices; scheduler: Scheduler },
): Promise<BuiltinInstance> {
  const { index, services, scheduler } = options;
  const load = BUILTIN_FACTORIES[component.component];
  if (load === undefined) {
    throw new Error(
      `Cannot make component "${component.id}": there is no "builtin/${component.component}"`,
    );
  }
  return new BuiltinInstance({
    id: component.id,
    pipelineId: pipeline.pipeline.id,
    kind: component.kind,
    index,
    outputs: component.outputs,
    tickInterval: 0,
    config: component.config,
    dataDirectory: makeDataDirectory(pipeline, component),
    partitionIndex: pipeline.partitionIndex,
    partitionCount: pipeline.partitionCount,
    sources: pipeline.pipeline.components.filter(({ kind }) => kind === "source").map(({ id }) =>
      id
    ),
    factory: await load(),
    record: services.recorder.component(index),
    log: (level, message, fields) => services.log.write(level, message, fields),
    interrupt: () => scheduler.interrupt(),
    complete: (index: number, completion: Completion) => scheduler.completed(index, completion),
    print: (text) => services.send({ type: "output", text }),
  });
}

function makeDataDirectory(pipeline: CellPipeline, component: ResolvedComponent): string {
  const path = `${pipeline.dataDirectory}/${component.id}`;
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ComponentError({
      pipeline: pipeline.pipeline.id,
      component: component.id,
      plugin: "",
      call: "load",
      code: "StoreFailed",
      message: fileError(error, "make data folder", path).message,
    });
  }
  return path;
}
