/** Makes of a test's case what its process is to run. */
import { join } from "node:path";
import type { Diagnostic } from "../config/diagnostic.ts";
import { type Catalog, lookUp } from "../config/catalog.ts";
import { outputsOf } from "../config/graph.ts";
import type { ResolvedComponent, ResolvedPipeline } from "../config/resolved.ts";
import type { ConfigSource, Path } from "../config/source.ts";
import { didYouMean } from "../config/suggest.ts";
import type { Action, TestCase } from "./model.ts";
import { injectorOf, type RequestStep, tapOf, type TestRequest } from "./request.ts";

/** What a case comes to, but for what only its process knows. */
export interface CasePlan {
  case: TestCase;
  pipeline: ResolvedPipeline;
  sources: string[];
  places: Record<string, string>;
  steps: RequestStep[];
}

/** Looks up what a case names. @returns what is wrong, where it cannot be planned */
export function planCase(
  test: TestCase,
  given: {
    source: ConfigSource;
    pipelines: readonly ResolvedPipeline[];
    catalog: Catalog;
    /** The pipeline where the case names none. */
    fallback: string | undefined;
  },
): CasePlan | Diagnostic[] {
  const pipelines = given.pipelines.filter(({ service }) => service === undefined);
  const ids = pipelines.map(({ id }) => id);
  const wanted = test.pipeline ?? given.fallback ?? (ids.length === 1 ? ids[0] : undefined);
  const pipeline = pipelines.find(({ id }) => id === wanted);
  if (pipeline === undefined) {
    const path = test.pipeline === undefined ? test.path : [...test.path, "pipeline"];
    const message = wanted === undefined
      ? `Missing the pipeline of test "${test.name}": there are several`
      : `Unknown pipeline "${wanted}" of test "${test.name}"`;
    const suggestion = didYouMean(wanted ?? "", ids);
    return [given.source.diagnostic(path, message, { suggestion })];
  }
  const planner = new Planner(test, { pipeline, source: given.source, catalog: given.catalog });
  const plan = planner.plan();
  return planner.diagnostics.length > 0 ? planner.diagnostics : plan;
}

class Planner {
  readonly diagnostics: Diagnostic[] = [];
  readonly #test: TestCase;
  readonly #pipeline: ResolvedPipeline;
  readonly #source: ConfigSource;
  readonly #catalog: Catalog;
  readonly #components: ResolvedComponent[];
  readonly #sources: ResolvedComponent[];
  readonly #injectors = new Map<string, ResolvedComponent>();
  readonly #taps = new Map<string, ResolvedComponent>();
  readonly #places: Record<string, string> = {};

  constructor(
    test: TestCase,
    around: { pipeline: ResolvedPipeline; source: ConfigSource; catalog: Catalog },
  ) {
    this.#test = test;
    this.#pipeline = structuredClone(around.pipeline);
    this.#source = around.source;
    this.#catalog = around.catalog;
    this.#components = this.#pipeline.components;
    this.#sources = this.#components.filter(({ kind }) => kind === "source");
  }

  plan(): CasePlan {
    const steps = this.#test.actions.flatMap((action) => this.#step(action));
    const others = this.#components.filter(({ kind }) => kind !== "source");
    const components = [...this.#sources, ...this.#injectors.values(), ...others]
      .concat(...this.#taps.values());
    const pipeline: ResolvedPipeline = {
      ...this.#pipeline,
      // Injectors number events as sources that were tested otherwise would.
      validate: "normal",
      // Events go on at once: time does not pass by itself.
      batch: { ...this.#pipeline.batch, maxDelayMs: 0 },
      components: components.map((component) =>
        component.kind === "source" ? { ...component, buffer: null } : withoutChance(component)
      ),
    };
    const sources = this.#sources.map(({ id }) => id);
    return { case: this.#test, pipeline, sources, places: this.#places, steps };
  }

  #step(action: Action): RequestStep[] {
    switch (action.do) {
      case "advance":
      case "end":
        return [action];
      case "expect":
        for (const { at, path } of action.expected) this.#look(at, path);
        return [];
      case "input":
        return this.#input(action);
    }
  }

  #input({ at, events, path }: Action & { do: "input" }): RequestStep[] {
    const target = this.#component(at, path, ({ kind }) => kind !== "service" && kind !== "hook");
    if (target === undefined) return [];
    for (const { source } of events) {
      if (source === undefined || this.#sources.some(({ id }) => id === source)) continue;
      const suggestion = didYouMean(source, this.#sources.map(({ id }) => id));
      this.#fault(path, `Unknown source "${source}" of events for "${at}"`, suggestion);
    }
    if (target.kind === "source") return [{ do: "input", by: at, source: at, events }];
    const by = injectorOf(at);
    if (!this.#injectors.has(at)) {
      this.#injectors.set(at, { ...this.#sources[0]!, id: by });
      target.from.push({ component: by, output: 0 });
    }
    return [{ do: "input", by, source: this.#upstream(target), events }];
  }

  /** The first source that a component's events come from. */
  #upstream(target: ResolvedComponent): string {
    const above = new Set([target.id]);
    for (const { id, from } of this.#components.toReversed()) {
      if (above.has(id)) { for (const { component } of from) above.add(component); }
    }
    return this.#sources.find(({ id }) => above.has(id))!.id;
  }

  /** Has what comes out at a place noted. */
  #look(at: string, path: Path): void {
    const [id = "", output] = at.split(".", 2);
    const target = this.#component(id, path, ({ kind }) => kind !== "source");
    if (target === undefined) return;
    if (target.kind === "reaction") {
      this.#places[id] = at;
      if (output !== undefined) {
        this.#fault(path, `Cannot look at "${at}": a reaction has no outputs`);
      }
      return;
    }
    if (this.#taps.has(at)) return;
    const outputs = this.#outputs(target);
    const number = output === undefined ? 0 : outputs.indexOf(output);
    if (number < 0 || output === undefined && outputs.length > 1) {
      const names = outputs.map((name) => `${id}.${name}`);
      const message = output === undefined
        ? `Missing output of processor "${id}": it has several`
        : `Unknown output "${output}" of processor "${id}"`;
      return this.#fault(path, message, didYouMean(at, names));
    }
    // Outputs that nothing reads are left out of a plan.
    target.outputs.push(...outputs.slice(target.outputs.length, number + 1));
    const tap = tapOf(at);
    this.#places[tap] = at;
    this.#taps.set(at, {
      id: tap,
      kind: "reaction",
      plugin: "builtin",
      component: "discard",
      config: {},
      from: [{ component: id, output: number }],
      outputs: [],
      blocking: false,
      replayable: false,
      delivery: target.delivery!,
    });
  }

  #outputs({ plugin, component, kind, config, outputs }: ResolvedComponent): string[] {
    const found = lookUp(this.#catalog, `${plugin}/${component}`, kind);
    return "message" in found ? outputs : outputsOf(found.component, config);
  }

  #component(
    id: string,
    path: Path,
    fits: (component: ResolvedComponent) => boolean,
  ): ResolvedComponent | undefined {
    const found = this.#components.find((component) => component.id === id);
    if (found !== undefined && fits(found)) return found;
    const pipeline = `pipeline "${this.#pipeline.id}"`;
    const message = found === undefined
      ? `Unknown component "${id}" of ${pipeline}`
      : `Cannot look at ${found.kind} "${id}": sources do not run in tests`;
    const known = this.#components.filter(fits).map(({ id }) => id);
    this.#fault(path, message, found === undefined ? didYouMean(id, known) : undefined);
    return undefined;
  }

  #fault(path: Path, message: string, suggestion?: string): void {
    this.diagnostics.push(this.#source.diagnostic(path, message, { at: "key", suggestion }));
  }
}

/** Retries come after the same time in every run. */
function withoutChance(component: ResolvedComponent): ResolvedComponent {
  const { delivery } = component;
  if (delivery === undefined) return component;
  return { ...component, delivery: { ...delivery, retry: { ...delivery.retry, jitter: 0 } } };
}

/** The request for a case whose files lie in `folder`. */
export function requestFor(
  { case: { startsAt }, pipeline, sources, places, steps }: CasePlan,
  given: {
    folder: string;
    recorder: TestRequest["recorder"];
    plugins: TestRequest["plugins"];
    preload: string[];
  },
): TestRequest {
  const { folder, recorder, plugins, preload } = given;
  return {
    recorder,
    pipeline: {
      pipeline,
      partitionIndex: 0,
      partitionCount: 1,
      dataDirectory: join(folder, "data"),
      storePath: join(folder, "pipeline.db"),
    },
    plugins,
    preload,
    sources,
    places,
    startsAt,
    steps,
  };
}
