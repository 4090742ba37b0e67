/** What takes the place of sources and reactions in a test, and gives and takes events within a pipeline. */
import { Status } from "../../ffi/layout.ts";
import type { BuiltinComponent } from "../component/builtin.ts";
import { attributeBytes } from "../event/attributes.ts";
import type { Batch } from "../event/batch.ts";
import { append, type EventInit } from "../event/writer.ts";
import { EventView } from "../expression/event_view.ts";
import type { GivenEvent, SeenEvent } from "./model.ts";

/** An event that is ready to be given. */
interface Ready {
  event: EventInit;
  source: number;
  sequence: number;
}

/** The numbers of the last events of the sources, by source. */
export class Sequences {
  readonly #last: number[] = [];

  /** The next one of `source`, or `given`, after which it goes on. */
  next(source: number, given: number | undefined): number {
    return this.#last[source] = given ?? (this.#last[source] ?? 0) + 1;
  }
}

/** A source that gives what it is told to, and waits for more without being polled. */
export class Injector implements BuiltinComponent {
  readonly #queue: Ready[] = [];
  #ends = false;
  #ended = false;
  #waiting: { batch: Batch; resolve: (status: number) => void } | undefined;

  /** Whether everything is given, and it was asked for more. */
  get idle(): boolean {
    return this.#waiting !== undefined || this.#ended;
  }

  /** Events that wait since what reads them does. */
  get left(): number {
    return this.#queue.length;
  }

  give(events: readonly Ready[]): void {
    this.#queue.push(...events);
    this.#goOn();
  }

  /** Gives what it has, and no more. */
  end(): void {
    this.#ends = true;
    this.#goOn();
  }

  poll(batch: Batch): number | Promise<number> {
    if (this.#queue.length === 0 && !this.#ends) {
      return new Promise((resolve) => this.#waiting = { batch, resolve });
    }
    return this.#fill(batch);
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(this.#fill(waiting.batch));
  }

  #fill(batch: Batch): number {
    for (;;) {
      const [next] = this.#queue;
      if (next === undefined) {
        this.#ended = this.#ends;
        return this.#ends ? Status.DONE : Status.OK;
      }
      const { event, ...origin } = next;
      if (!append(batch, event, origin)) return Status.OK;
      batch.nextSequence++;
      this.#queue.shift();
    }
  }
}

/** Makes an event ready to be given by a component that stands for `source`. */
export function readyEvent(
  given: GivenEvent,
  { source, sequence, now }: { source: number; sequence: number; now: number },
): Ready {
  const event: EventInit = {
    payload: Uint8Array.fromBase64(given.payload),
    key: Uint8Array.fromBase64(given.key),
    attributes: attributeBytes(given.attributes),
    operation: given.operation,
    contentType: given.contentType,
    timestamp: given.timestamp === undefined
      ? BigInt(Math.round(now * 1000)) * 1000n
      : BigInt(given.timestamp),
  };
  return { event, source, sequence };
}

/** A reaction that accepts everything and hands it on. */
export function capture(
  sources: readonly string[],
  take: (event: SeenEvent) => void,
): BuiltinComponent {
  const view = new EventView(sources);
  return {
    write(batch) {
      view.open(batch);
      while (view.next()) take(seenEvent(view));
      if (view.reader.malformed === "") return Status.OK;
      batch.done = view.reader.index + 1;
      return Status.INVALID;
    },
  };
}

function seenEvent(view: EventView): SeenEvent {
  const { reader, operation, content_type: contentType, source, marked } = view;
  return {
    payload: reader.payload.toBase64(),
    key: reader.key.toBase64(),
    attributes: Object.entries(view.attributes),
    operation,
    contentType,
    source,
    sequence: reader.sequence,
    timestamp: String(reader.timestamp),
    marked,
  };
}
