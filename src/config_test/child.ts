/** The process of one test: runs a pipeline whose sources and reactions are stand-ins, at a time of its own. */
import { dirname, join } from "node:path";
import { CellRecorder } from "../../ffi/flight_recorder.ts";
import { RecordFlag } from "../../ffi/layout.ts";
import { MemoryFile } from "../../ffi/memory_file.ts";
import { loadShim } from "../../ffi/shim.ts";
import { type ComponentServices, loadPlugins, makeComponent } from "../cell/assembly.ts";
import { mappedLibraries } from "../cell/mapped_libraries.ts";
import { FATAL_EXIT } from "../cell/worker.ts";
import { BuiltinInstance } from "../component/builtin.ts";
import type { Instance } from "../component/component.ts";
import type { ResolvedComponent } from "../config/resolved.ts";
import { attributePairs } from "../event/attributes.ts";
import { ComponentError } from "../pipeline/pipeline.ts";
import type { ComponentFailure } from "../pipeline/spec.ts";
import { PluginError } from "../plugin/errors.ts";
import { type DeadLetterInit, PipelineStore } from "../store/pipeline_store.ts";
import { contentTypeName, operationName } from "./names.ts";
import type { Seen, SeenEvent, SeenLetter } from "./model.ts";
import {
  REQUEST_FILE,
  type RequestStep,
  RESULT_FILE,
  type TestRequest,
  type TestResult,
} from "./request.ts";
import { Simulation, VirtualClock } from "./simulation.ts";
import { capture, Injector, readyEvent, Sequences } from "./stand_ins.ts";

const MAX_NOTES = 50;

/**
 * Runs the cases that are described in `folders`, one after the other, until one fails beyond what was expected. What came of each is
 * in a file beside its description, or the process died.
 */
export async function runTestChild(folders: string[]): Promise<never> {
  for (const [index, folder] of folders.entries()) {
    const request: TestRequest = JSON.parse(await Deno.readTextFile(join(folder, REQUEST_FILE)));
    const file = MemoryFile.open(request.recorder.path, request.recorder.size);
    if (index === 0) watchProcess(file);
    const result = await new TestRun(request, file).make();
    await Deno.writeTextFile(join(folder, RESULT_FILE), JSON.stringify(result));
    if (result.failure !== undefined) Deno.exit(FATAL_EXIT);
  }
  // What the plugins have started, such as threads, must not keep the process.
  Deno.exit(0);
}

/** Has crashes noted in the recorder, and this process end with the one that started it. */
function watchProcess(file: MemoryFile): void {
  const status = loadShim().bb_init(file.pointer, Deno.ppid, 0n);
  if (status !== 0) throw new Error(`Cannot start a test: error ${status} of the system`);
}

class TestRun {
  readonly #request: TestRequest;
  readonly #file: MemoryFile;
  readonly #clock: VirtualClock;
  readonly #injectors = new Map<string, Injector>();
  readonly #sequences = new Sequences();
  readonly #result: TestResult = { steps: [], notes: [], seconds: 0 };
  #simulation: Simulation | undefined;
  #seen: Seen = { events: {}, letters: [] };

  constructor(request: TestRequest, file: MemoryFile) {
    this.#request = request;
    this.#file = file;
    this.#clock = new VirtualClock(request.startsAt);
  }

  async make(): Promise<TestResult> {
    const started = performance.now();
    try {
      const simulation = await this.#assemble();
      await simulation.start();
      for (const step of this.#request.steps) {
        if (simulation.failure !== undefined) break;
        await this.#take(step, simulation);
        this.#result.steps.push(this.#seen);
        this.#seen = { events: {}, letters: [] };
      }
      if (simulation.failure) this.#result.failure = simulation.failure;
      else this.#noteLeft();
    } catch (error) {
      this.#result.failure = this.#failureOf(error);
    }
    this.#result.seconds = (performance.now() - started) / 1000;
    return this.#result;
  }

  async #take(step: RequestStep, simulation: Simulation): Promise<void> {
    switch (step.do) {
      case "advance":
        return await simulation.advance(step.ms);
      case "end":
        return await simulation.end();
      case "input": {
        const { sources } = this.#request;
        const now = this.#clock.time;
        const events = step.events.map((event) => {
          const source = sources.indexOf(event.source ?? step.source);
          const sequence = this.#sequences.next(source, event.sequence);
          return readyEvent(event, { source, sequence, now });
        });
        this.#injectors.get(step.by)!.give(events);
        return await simulation.settle();
      }
    }
  }

  async #assemble(): Promise<Simulation> {
    const { pipeline: spec, plugins, preload } = this.#request;
    const recorder = new CellRecorder(this.#file.buffer);
    const loaded = loadPlugins({ plugins, preload });
    recorder.noteLibraries(
      mappedLibraries([...Object.values(plugins).map(({ directory }) => directory), ...preload]),
    );
    const services: ComponentServices = {
      recorder,
      recorderAddress: Deno.UnsafePointer.value(this.#file.pointer),
      log: { write: (level, message, fields) => this.#note(level, message, fields) },
      send: () => Promise.resolve(),
      now: () => this.#clock.time,
    };
    const owner = {
      interrupt: () => {},
      completed: (...args: Parameters<Simulation["completed"]>) =>
        this.#simulation?.completed(...args),
    };
    const instances: Instance[] = [];
    for (const [index, component] of spec.pipeline.components.entries()) {
      instances.push(
        component.kind === "processor"
          ? await makeComponent(component, spec, {
            index,
            spec: { plugins },
            services,
            plugins: loaded,
            owner,
          })
          : this.#standIn(component, { index, recorder }),
      );
    }
    // No checkpoints: nothing is to come after this process.
    const pipeline = { ...spec.pipeline, checkpointIntervalMs: Infinity };
    return this.#simulation = new Simulation({
      spec: { ...spec, pipeline },
      instances,
      recorder,
      firstSource: 0,
      openStore: () => PipelineStore.open(spec.storePath),
      suspects: [],
      maxPending: 1,
      log: (level, message, fields) => this.#note(level, message, fields),
    }, {
      clock: this.#clock,
      injectors: [...this.#injectors.values()],
      onLetter: (letter) => this.#seen.letters.push(this.#letter(letter)),
    });
  }

  #standIn(
    component: ResolvedComponent,
    { index, recorder }: { index: number; recorder: CellRecorder },
  ): Instance {
    const { sources, places, pipeline: spec } = this.#request;
    const { id, kind } = component;
    const make = () => {
      if (kind !== "source") {
        return capture(sources, (event) => this.#see(places[id] ?? id, event));
      }
      const injector = new Injector();
      this.#injectors.set(id, injector);
      return injector;
    };
    const stand = make();
    return new BuiltinInstance({
      id,
      pipelineId: spec.pipeline.id,
      kind,
      index,
      outputs: [],
      tickInterval: 0,
      config: {},
      dataDirectory: dirname(spec.storePath),
      partitionIndex: 0,
      partitionCount: 1,
      sources,
      factory: () => stand,
      record: recorder.component(index),
      log: () => {},
      interrupt: () => {},
      complete: () => {},
      print: () => Promise.resolve(),
    });
  }

  #see(place: string, event: SeenEvent): void {
    (this.#seen.events[place] ??= []).push(event);
  }

  #letter(letter: DeadLetterInit): SeenLetter {
    const { component, code, error, source, sequence, timestamp, flags } = letter;
    return {
      component,
      code: code.toLowerCase(),
      error,
      payload: letter.payload.toBase64(),
      key: letter.key.toBase64(),
      attributes: attributePairs(letter.attributes),
      operation: operationName(letter.operation),
      contentType: contentTypeName(letter.contentType),
      source,
      sequence,
      timestamp: String(timestamp),
      marked: (flags & RecordFlag.MARKED) !== 0,
    };
  }

  #noteLeft(): void {
    for (const [id, { left }] of this.#injectors) {
      if (left === 0) continue;
      const message = `${left} of the given events still wait: let time pass`;
      this.#note("warning", message, { component: id.replace(/^input:/, "") });
    }
  }

  #note(level: string, message: string, fields: Record<string, unknown> = {}): void {
    const { notes } = this.#result;
    const serious = level === "warning" || level === "error" || level === "fatal";
    // Dead letters are seen by themselves.
    if (!serious || notes.length >= MAX_NOTES || message.startsWith("Event is a dead letter")) {
      return;
    }
    const { pipeline: _, plugin: __, component, ...others } = fields;
    const details = Object.entries(others).map(([name, value]) => `${name} ${String(value)}`);
    const where = component === undefined ? "" : ` (${component})`;
    notes.push(`${level}${where}: ${[message, ...details].join(", ")}`);
  }

  #failureOf(error: unknown): ComponentFailure {
    if (error instanceof ComponentError) return error.failure;
    const known = error instanceof PluginError;
    const { message, stack } = error as Error;
    return {
      pipeline: this.#request.pipeline.pipeline.id,
      component: "",
      plugin: "",
      call: "load",
      code: known ? error.code : "Internal",
      message: known ? message : stack ?? message,
    };
  }
}
