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
import { ServiceUnit, type ServiceUnitOptions } from "./service_unit.ts";
import type { Completions } from "./completions.ts";
import type { Sleeper } from "./sleeper.ts";

/** How long a cell stands still for another process that writes to a pipeline's database; then it is tried again later. */
const BUSY_MS = 1_000;

export interface CellServices {
  recorder: CellRecorder;
  /** Where the recorder is mapped. */
  recorderAddress: bigint;
  log: Pick<CellLog, "write">;
  sleeper: Sleeper;
  completions: Completions;
  send(message: CellMessage): Promise<void>;
  /** Ends the cell over a failure. */
  fatal(failure: ComponentFailure): void;
}

/** What components need of what is around them. */
export interface ComponentServices
  extends Pick<CellServices, "recorder" | "recorderAddress" | "log" | "send"> {
  /** The clock that built-in components see. @default the system's */
  now?: () => number;
}

/** What {@linkcode makeComponent} needs. */
export interface ComponentOptions {
  /** Its number in the flight recorder. */
  index: number;
  spec: Pick<CellSpec, "plugins" | "standardInput">;
  services: ComponentServices;
  /** By name, those that are loaded. */
  plugins: ReadonlyMap<string, LoadedPlugin>;
  /** Who takes what comes in off the event loop. */
  owner: Pick<Scheduler, "interrupt" | "completed">;
}

/**
 * Loads the plugins of a cell and makes its components and pipelines, none of them created or started yet.
 *
 * @throws {PluginError} when a library cannot be loaded
 */
export async function assemble(spec: CellSpec, services: CellServices): Promise<Scheduler> {
  const plugins = loadPlugins(spec);
  services.recorder.noteLibraries(mappedLibraries([spec.storeDirectory, ...spec.preload]));
  const scheduler = new Scheduler(services);
  const reactions = spec.pipelines.flatMap(({ pipeline }) => pipeline.components)
    .filter(({ kind }) => kind === "reaction").length;
  const maxPending = Math.max(1, Math.min(64, Math.floor(COMPLETIONS / Math.max(1, reactions))));
  let nextIndex = 0;
  let firstSource = 0;
  for (const pipeline of spec.pipelines) {
    const { service } = pipeline.pipeline;
    if (service !== undefined) {
      const unit = makeService(pipeline, { index: nextIndex, spec, services, plugins });
      scheduler.add((hooks) =>
        new ServiceUnit({
          ...unit,
          recorder: services.recorder,
          openStore: () => PipelineStore.open(pipeline.storePath, { busyTimeout: BUSY_MS }),
          saveInterval: pipeline.pipeline.checkpointIntervalMs,
          log: (level, message, fields) => services.log.write(level, message, fields),
          onFatal: services.fatal,
          ...hooks,
        })
      );
      nextIndex += service.concurrency;
      continue;
    }
    const instances: Instance[] = [];
    for (const component of pipeline.pipeline.components) {
      const index = nextIndex++;
      const options = { index, spec, services, plugins, owner: scheduler };
      instances.push(await makeComponent(component, pipeline, options));
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

/** Loads libraries and plugins of a cell, by name. @throws {PluginError} when one cannot be loaded */
export function loadPlugins(
  spec: Pick<CellSpec, "preload" | "plugins">,
): Map<string, LoadedPlugin> {
  preload(spec.preload);
  const plugins = new Map<string, LoadedPlugin>();
  for (const [name, plugin] of Object.entries(spec.plugins)) {
    plugins.set(name, loadPluginLibrary(plugin));
  }
  return plugins;
}

/** Makes an instance of a pipeline's component; nothing of it is called yet. */
export async function makeComponent(
  component: ResolvedComponent,
  pipeline: CellPipeline,
  options: ComponentOptions,
): Promise<Instance> {
  if (component.plugin === "builtin") return await makeBuiltin(component, pipeline, options);
  const { index, spec, services, plugins } = options;
  return makeNative(component, pipeline, {
    index,
    services,
    plugin: spec.plugins[component.plugin]!,
    loaded: plugins.get(component.plugin)!,
  });
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

function makeService(
  pipeline: CellPipeline,
  options: {
    index: number;
    spec: CellSpec;
    services: CellServices;
    plugins: ReadonlyMap<string, LoadedPlugin>;
  },
): Pick<ServiceUnitOptions, "id" | "instance" | "places"> {
  const { index, spec, services, plugins } = options;
  const component = pipeline.pipeline.components[0]!;
  const instance = makeNative(component, pipeline, {
    index,
    services,
    plugin: spec.plugins[component.plugin]!,
    loaded: plugins.get(component.plugin)!,
  });
  const places = Array.from(
    { length: pipeline.pipeline.service!.concurrency },
    (_, slot) =>
      instance.place({
        index: index + slot,
        slot,
        record: services.recorder.component(index + slot),
        recordAddress: recordOf(services, index + slot),
      }),
  );
  return { id: pipeline.pipeline.id, instance, places };
}

/** `struct bb_component` of a place. */
function recordOf({ recorder, recorderAddress }: ComponentServices, index: number): bigint {
  return recorderAddress +
    BigInt(recorder.plan.componentsAt + index * RecorderComponentLayout.size);
}

function makeNative(
  component: ResolvedComponent,
  pipeline: CellPipeline,
  options: { index: number; services: ComponentServices; plugin: CellPlugin; loaded: LoadedPlugin },
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
    record: recordOf(services, index),
  });
}

async function makeBuiltin(
  component: ResolvedComponent,
  pipeline: CellPipeline,
  options: Omit<ComponentOptions, "plugins">,
): Promise<BuiltinInstance> {
  const { index, spec, services, owner } = options;
  const { standardInput } = spec;
  const load = BUILTIN_FACTORIES[`${component.kind}/${component.component}`];
  if (load === undefined) {
    throw new Error(
      `Cannot make component "${component.id}": there is no ${component.kind} "builtin/${component.component}"`,
    );
  }
  return new BuiltinInstance({
    id: component.id,
    pipelineId: pipeline.pipeline.id,
    kind: component.kind,
    index,
    outputs: component.outputs,
    tickInterval: component.tickMs ?? 0,
    config: component.config,
    dataDirectory: makeDataDirectory(pipeline, component),
    partitionIndex: pipeline.partitionIndex,
    partitionCount: pipeline.partitionCount,
    sources: pipeline.pipeline.components.filter(({ kind }) => kind === "source").map(({ id }) =>
      id
    ),
    buffered: component.buffer !== undefined && component.buffer !== null,
    factory: await load(),
    record: services.recorder.component(index),
    log: (level, message, fields) => services.log.write(level, message, fields),
    ...(services.now && { now: services.now }),
    interrupt: () => owner.interrupt(),
    complete: (index: number, completion: Completion) => owner.completed(index, completion),
    print: (text) => services.send({ type: "output", text }),
    ...(standardInput === undefined ? {} : {
      standardInput: () => Deno.connect({ transport: "unix", path: standardInput }),
    }),
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
