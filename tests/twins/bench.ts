/** Pipelines around twins: one for each, all in one busbar, over as many hosts as a test wants. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { PipelineStore } from "../../src/store/pipeline_store.ts";
import { fixture, PLUGINS } from "../fixtures/build.ts";
import {
  type Busbar,
  type LogRecord,
  waitFor,
  withBusbar,
  writeConfig,
} from "../support/busbar.ts";
import { PROJECT } from "../support/c_program.ts";
import { collect, collected, withFolder } from "../integration/pipeline/support.ts";
import { edition } from "../integration/reload/tally.ts";
import { HttpTarget } from "./http_target.ts";
import {
  type Delivered,
  type Line,
  makeLine,
  type Subject,
  type Surroundings,
  type Twin,
} from "./pairs.ts";

/** How all pipelines of a test are set. */
export interface PipelineSettings {
  batch?: Record<string, unknown>;
  checkpoint_interval?: string;
  /** Settings of each `probe/collect` by its id. Default: one of the id `brake`. */
  collectors?: Record<string, Record<string, unknown>>;
}

/** A subject in its pipeline `in` → `middle` → `out`, where `middle` is there only with a processor. */
export class Place implements Surroundings {
  readonly id: string;
  readonly twin: Twin;
  /** What is there besides, in a whole pipeline. */
  readonly before: Subject["before"];
  readonly folder: string;
  readonly target = new HttpTarget();
  readonly lines: Line[] = [];
  readonly #bench: Bench;

  constructor(bench: Bench, { id, twin, before }: Subject) {
    this.#bench = bench;
    this.id = id;
    this.twin = twin;
    this.before = before;
    this.folder = join(bench.folder, id);
    Deno.mkdirSync(this.out, { recursive: true });
  }

  get input(): string {
    return join(this.folder, "in.log");
  }

  get out(): string {
    return join(this.folder, "out");
  }

  /** While it exists, reactions that have it as `again_while` take nothing; so nothing is finished. */
  get closed(): string {
    return join(this.folder, "closed");
  }

  /** Id of the component under test. */
  get component(): string {
    return { source: "in", processor: "middle", reaction: "out" }[this.twin.role];
  }

  logs(): LogRecord[] {
    return this.#bench.logs.filter(({ pipeline }) => pipeline === this.id);
  }

  /** Has nothing be finished until {@linkcode release}; the pipeline is held back then. */
  hold(): void {
    Deno.writeTextFileSync(this.closed, "");
    this.target.hold();
  }

  release(): void {
    Deno.removeSync(this.closed);
    this.target.release();
  }

  /** Writes so many more lines. */
  add(count: number): void {
    const lines = Array.from({ length: count }, (_, i) => makeLine(this.lines.length + i));
    this.lines.push(...lines);
    const text = lines.map(({ text }) => `${text}\n`).join("");
    Deno.writeTextFileSync(this.input, text, { append: true });
  }

  /** What is to come out of the lines so far. */
  get expected(): (Delivered & { sequence: number })[] {
    const { becomes = ({ text }: Line) => text, copies = 1 } = this.before?.processor ?? this.twin;
    return this.lines.flatMap((line) => {
      const text = becomes(line);
      return text === undefined ? [] : Array(copies).fill({ sequence: line.n + 1, text });
    });
  }

  /** What came out at a collector or, with a reaction under test, at that. */
  async delivered(collector?: string): Promise<Delivered[]> {
    if (collector === undefined && this.twin.read !== undefined) return await this.twin.read(this);
    const events = await collected(join(this.folder, collector ?? "brake"));
    return events.map(({ sequence, payload }) => ({ sequence, text: payload }));
  }

  /** The last event that is finished everywhere, as the pipeline's store has it; 0 while there is none. */
  finished(): number {
    const path = join(this.#bench.data, "pipelines", this.id, "pipeline.db");
    if (!existsSync(path)) return 0;
    const store = PipelineStore.open(path);
    try {
      return store.checkpoint().marks[0]?.sequence ?? 0;
    } finally {
      store.close();
    }
  }

  /** Waits until all lines are finished everywhere; where what is finished may still be on its way, until it is there. */
  async settled(busbar: Busbar): Promise<void> {
    const what = `the end of "${this.id}": ${this.lines.length} lines`;
    await waitFor(() => this.finished() === this.lines.length, { busbar, what });
    if (!this.twin.fleeting) return;
    const texts = async () => new Set((await this.delivered()).map(({ text }) => text));
    await waitFor(async () => (await texts()).size === this.expected.length, { busbar, what });
  }

  /** The pipeline in `busbar.yaml`; `config` are other settings for the twin. */
  pipeline(
    settings: PipelineSettings,
    config: Record<string, unknown> = this.twin.config?.(this) ?? {},
  ): Record<string, unknown> {
    const { twin, before } = this;
    const { collectors = { brake: { again_while: this.closed } }, ...rest } = settings;
    const under = { use: twin.use, config };
    const used = ({ use, config }: Twin) => ({ use, config: config?.(this) ?? {} });
    const tail = { paths: [this.input], rescan: "10ms", grace: "10ms" };
    const fast = { initial: "1ms", max: "2ms" };
    const source = before ? used(before.source) : { use: "file-tail/tail", config: tail };
    const processor = before ? used(before.processor) : under;
    const hasMiddle = before !== undefined || twin.role === "processor";
    const from = [hasMiddle ? "middle" : "in"];
    return {
      sources: { in: twin.role === "source" ? under : source },
      ...hasMiddle ? { processors: { middle: { ...processor, from: ["in"] } } } : {},
      reactions: {
        ...twin.role === "reaction" ? { out: { ...under, from, retry: fast } } : {},
        ...Object.fromEntries(
          Object.entries(collectors).map(([id, config]) => [
            id,
            { ...collect(from, { file: join(this.folder, id), ...config }), retry: fast },
          ]),
        ),
      },
      batch: { max_events: 8, max_bytes: "4KiB" },
      checkpoint_interval: "10ms",
      restart: { initial: "1ms", max: "1ms", max_restarts: 100 },
      ...rest,
    };
  }
}

/** Subjects beside each other, with data that is kept over hosts. */
export class Bench {
  readonly folder: string;
  readonly places: readonly Place[];
  readonly #directories: string[];
  readonly #logs: LogRecord[] = [];
  #busbar: Busbar | undefined;

  constructor(folder: string, subjects: readonly Subject[], directories: string[]) {
    this.folder = folder;
    this.#directories = directories;
    this.places = subjects.map((subject) => new Place(this, subject));
  }

  get data(): string {
    return join(this.folder, "data");
  }

  get logs(): LogRecord[] {
    return [...this.#logs, ...this.#busbar?.logs ?? []];
  }

  /** Does the same with all subjects at once; an error says with which one it came. */
  async each(action: (place: Place) => Promise<void> | void): Promise<void> {
    await Promise.all(this.places.map(async (place) => {
      try {
        await action(place);
      } catch (error) {
        if (error instanceof Error) {
          error.message = `${place.id}, ${place.twin.use}: ${error.message}`;
        }
        throw error;
      }
    }));
  }

  /** Runs a host with the pipelines until `action` is over. */
  async host(
    pipelines: (place: Place) => Record<string, unknown>,
    action: (busbar: Busbar) => Promise<void>,
  ): Promise<void> {
    const config = this.#config(pipelines);
    await withBusbar({ config }, async (busbar) => {
      this.#busbar = busbar;
      try {
        await action(busbar);
        await busbar.stop();
      } finally {
        this.#logs.push(...busbar.logs);
        this.#busbar = undefined;
      }
    });
  }

  /** Has the host read another configuration; gives what it says to that. */
  async reload(
    busbar: Busbar,
    pipelines: (place: Place) => Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): Promise<string> {
    const words = () =>
      busbar.logs.map(({ message }) => message)
        .filter((message) => /^Configuration reloaded|^Cannot reload the conf/.test(message));
    const before = words().length;
    await writeConfig(busbar.folder, this.#config(pipelines, more));
    busbar.kill("SIGHUP");
    return await waitFor(() => words()[before], { busbar, what: "the reload" });
  }

  async close(): Promise<void> {
    await Promise.all(this.places.map(({ target }) => target.close()));
  }

  #config(
    pipelines: (place: Place) => Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): Record<string, unknown> {
    return {
      data_dir: this.data,
      log: { level: "info", format: "json" },
      plugins: { directories: this.#directories, watch: { enabled: false } },
      pipelines: {
        ...Object.fromEntries(this.places.map((place) => [place.id, pipelines(place)])),
        ...more,
      },
    };
  }
}

export async function withBench(
  subjects: readonly Subject[],
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  await fixture("probe");
  await withFolder(async (folder) => {
    const tally = dirname(await edition(folder, 1));
    const directories = [PLUGINS, join(PROJECT, "dist/plugins"), tally];
    const bench = new Bench(folder, subjects, directories);
    try {
      await test(bench);
    } finally {
      await bench.close();
    }
  });
}

/**
 * Fails unless everything came out that should: each event with its own sequence, in order where `ordered`, and once unless `again` allows
 * that events came again.
 */
export function assertDelivered(
  delivered: readonly Delivered[],
  expected: readonly (Delivered & { sequence: number })[],
  { again = false, ordered = true }: { again?: boolean; ordered?: boolean } = {},
): void {
  const bySequence = new Map(expected.map(({ sequence, text }) => [sequence, text]));
  for (const { sequence, text } of delivered) {
    if (sequence !== undefined) assert.equal(text, bySequence.get(sequence), `event ${sequence}`);
  }
  const texts = (events: readonly Delivered[]) => {
    const all = events.map(({ text }) => text);
    return again ? [...new Set(all)] : all;
  };
  const all = texts(delivered);
  const wanted = texts(expected);
  if (ordered) assert.deepEqual(all, wanted);
  else assert.deepEqual(all.toSorted(), wanted.toSorted());
}
