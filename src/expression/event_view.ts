import { ContentType, Operation, RecordFlag } from "../../ffi/layout.ts";
import { attributePairs } from "../event/attributes.ts";
import type { Batch } from "../event/batch.ts";
import { RecordReader } from "../event/reader.ts";
import type { EVENT_VARIABLES } from "./environment.ts";
import { Payloads, textOf } from "./payloads.ts";

const OPERATIONS = namesOf(Operation);
const CONTENT_TYPES = namesOf(ContentType);

/** What an expression's variables are for one event. */
type Variables = Record<keyof typeof EVENT_VARIABLES, unknown>;

/**
 * The variables of the event that it stands on, each made when it is first read. One view serves all expressions of a
 * component; the values are theirs together, so nobody changes them.
 */
export class EventView implements Variables {
  /** Stands on the same record. */
  readonly reader = new RecordReader();
  readonly #sources: readonly string[];
  readonly #payloads = new Payloads();
  #payload: unknown;
  #text: string | undefined;
  #key: string | undefined;
  #attributes: Record<string, string> | undefined;
  #timestamp: Date | undefined;

  /** @param sources ids of the pipeline's sources, by the number that records have */
  constructor(sources: readonly string[]) {
    this.#sources = sources;
  }

  /** Starts before the record at byte `cursor` of `batch`, which stays as it is until the last record is done. */
  open(batch: Batch, cursor = 0): this {
    this.reader.open(batch, cursor);
    this.#payloads.open(batch, cursor);
    return this;
  }

  /** Goes to the next record; false at the end, and where a record does not fit, which `reader.malformed` then says. */
  next(): boolean {
    this.#payload =
      this.#text =
      this.#key =
      this.#attributes =
      this.#timestamp =
        undefined;
    return this.reader.next();
  }

  /** Throws when the payload says to be JSON and is not. */
  get payload(): unknown {
    return this.#payload === undefined
      ? this.#payload = this.#payloads.valueOf(this.reader)
      : this.#payload;
  }

  /** The payload where it has been read and is a JSON object or list. */
  get value(): object | undefined {
    const payload = this.#payload;
    return typeof payload === "object" && payload !== null ? payload : undefined;
  }

  get text(): string {
    return this.#text ??= textOf(this.reader.payload);
  }

  get key(): string {
    return this.#key ??= textOf(this.reader.key);
  }

  /** Without a prototype; of several attributes of a name the last. */
  get attributes(): Record<string, string> {
    if (this.#attributes === undefined) {
      this.#attributes = Object.create(null) as Record<string, string>;
      for (const [name, value] of attributePairs(this.reader.rawAttributes)) {
        this.#attributes[name] = value;
      }
    }
    return this.#attributes;
  }

  get operation(): string {
    const { operation } = this.reader;
    return OPERATIONS[operation] ?? String(operation);
  }

  get content_type(): string {
    const { contentType } = this.reader;
    return CONTENT_TYPES[contentType] ?? String(contentType);
  }

  get source(): string {
    const { source } = this.reader;
    return this.#sources[source] ?? String(source);
  }

  get sequence(): bigint {
    return BigInt(this.reader.sequence);
  }

  /** In milliseconds; 1970 where it is not known. */
  get timestamp(): Date {
    return this.#timestamp ??= new Date(Number(this.reader.timestamp / 1_000_000n));
  }

  /** Bytes of the payload. */
  get size(): bigint {
    return BigInt(this.reader.payloadLength);
  }

  get marked(): boolean {
    return (this.reader.flags & RecordFlag.MARKED) !== 0;
  }
}

function namesOf(numbers: Readonly<Record<string, number>>): string[] {
  const names: string[] = [];
  for (const [name, number] of Object.entries(numbers)) names[number] = name.toLowerCase();
  return names;
}
