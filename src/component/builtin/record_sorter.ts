/** What processors share that pass records on as they are, or not. */
import { RecordFlag, RecordLayout, Status } from "../../../ffi/layout.ts";
import { withAttributes } from "../../event/attributes.ts";
import type { Batch } from "../../event/batch.ts";
import { RecordReader } from "../../event/reader.ts";
import { append } from "../../event/writer.ts";
import { EventView } from "../../expression/event_view.ts";
import type { BuiltinContext } from "../builtin.ts";

/** What becomes of an event that an expression fails on. */
export type OnError = "drop" | "mark" | "dead_letter";

/** Of `decide`: the event goes nowhere. */
export const DROP = -1;

/** The attribute that says why an event is marked. */
export const ERROR_ATTRIBUTE = "busbar.error";

/** Copies records as they are to an output, neighbours at once. */
export class Forwarder {
  readonly #contentType: number | undefined;
  readonly #copied = new RecordReader();
  #from!: Batch;
  #to!: Batch;
  #start = 0;
  #end = 0;
  #count = 0;

  /** @param contentType what the copies say to hold, if not what the records say */
  constructor(contentType?: number) {
    this.#contentType = contentType;
  }

  open(from: Batch, to: Batch): void {
    this.#from = from;
    this.#to = to;
    this.#count = 0;
    this.#start = this.#end = 0;
  }

  /** Whether there is room for the record that `reader` stands on and `more` bytes. Says to the host where there never is. */
  fits({ offset, end }: RecordReader, more = 0): boolean {
    const to = this.#to;
    const size = end - offset + more;
    if (to.count + this.#count >= to.limit) return false;
    if (to.length + this.#end - this.#start + size <= to.capacity) return true;
    if (size > to.capacity) to.required = size;
    return false;
  }

  /** Whether there is room for everything that `from` has from byte `cursor` on. */
  fitsAll(cursor: number): boolean {
    const from = this.#from;
    const to = this.#to;
    return to.count + from.count <= to.limit && to.length + from.length - cursor <= to.capacity;
  }

  /** Passes on the record that `reader` stands on, for which there is room; `value` is its payload, if known. */
  add({ offset, end }: RecordReader, value?: object): void {
    if (offset !== this.#end || this.#count === 0) {
      this.flush();
      this.#start = offset;
    }
    this.#end = end;
    if (value !== undefined) this.#to.values[this.#to.count + this.#count] = value;
    this.#count++;
  }

  /** Before anything else is written to the output, and at the end of the call. */
  flush(): void {
    if (this.#count === 0) return;
    const to = this.#to;
    const start = to.length;
    to.bytes.set(this.#from.bytes.subarray(this.#start, this.#end), start);
    to.length += this.#end - this.#start;
    to.count += this.#count;
    this.#count = 0;
    this.#start = this.#end;
    if (this.#contentType !== undefined) this.#retype(start, this.#contentType);
  }

  #retype(start: number, contentType: number): void {
    const to = this.#to;
    const copied = this.#copied.open(to, start);
    while (copied.next()) to.bytes[copied.offset + RecordLayout.offset.content_type] = contentType;
  }
}

/** How a {@linkcode RecordSorter} differs from most. */
interface SorterOptions {
  /** What records that are passed on say to hold. @default what they say */
  contentType?: number;
  /** Metric of events that were not understood. @default "expression_errors_total" */
  errors?: string;
}

/** Sorts the records of batches to the outputs of a processor. */
export class RecordSorter {
  readonly view: EventView;
  readonly #context: BuiltinContext;
  readonly #onError: OnError;
  readonly #forwarders: Forwarder[];
  readonly #countErrors: (add?: number) => void;

  constructor(
    context: BuiltinContext,
    onError: OnError,
    { contentType, errors = "expression_errors_total" }: SorterOptions = {},
  ) {
    this.#context = context;
    this.#onError = onError;
    this.view = new EventView(context.sources);
    this.#forwarders = context.outputs.map(() => new Forwarder(contentType));
    this.#countErrors = context.metrics.counter(errors);
  }

  /**
   * Has `decide` say for each record which output it goes to, by number, or {@linkcode DROP}. It is asked once for each,
   * when there is room wherever the record may go; what it throws is treated as `on_error` says.
   */
  process(batch: Batch, decide: (view: EventView) => number): number {
    return this.processAll(batch, (view, send) => {
      const output = decide(view);
      if (output !== DROP) send(output);
    });
  }

  /** The same for records that may go to several outputs. Nothing is sent of a record that `decide` throws on. */
  processAll(
    batch: Batch,
    decide: (view: EventView, send: (output: number) => void) => void,
  ): number {
    const { view } = this;
    const { reader } = view;
    const forwarders = this.#forwarders;
    const { cursor } = batch;
    for (let i = 0; i < forwarders.length; i++) forwarders[i]!.open(batch, batch.outputs[i]!);
    const roomy = this.#onError !== "mark" && forwarders.every((one) => one.fitsAll(cursor));
    // Outputs that nobody reads are not there.
    const send = (output: number) => forwarders[output]?.add(reader, view.value);
    let status: number = Status.OK;
    let errors = 0;
    view.open(batch, cursor);
    while (view.next()) {
      if (!roomy && !forwarders.every((one) => one.fits(reader))) {
        status = this.#more(batch);
        break;
      }
      try {
        decide(view, send);
      } catch (error) {
        const { message } = error as Error;
        if (this.#onError === "dead_letter") {
          status = this.#reject(batch, message);
        } else if (this.#onError === "mark" && !this.#mark(batch, message)) {
          status = this.#more(batch);
        } else {
          errors++;
          continue;
        }
        break;
      }
    }
    for (const forwarder of forwarders) forwarder.flush();
    if (status === Status.INVALID) errors++;
    if (errors > 0) this.#countErrors(errors);
    if (reader.malformed === "") return status;
    batch.done = reader.index + 1;
    return Status.INVALID;
  }

  #more(batch: Batch): number {
    batch.cursor = this.view.reader.offset;
    return Status.MORE;
  }

  #reject(batch: Batch, message: string): number {
    batch.done = this.view.reader.index;
    this.#context.explain(message);
    return Status.INVALID;
  }

  /** Passes a record on to the first output as one that was not understood; false when it has to wait for room. */
  #mark(batch: Batch, message: string): boolean {
    this.#forwarders[0]!.flush();
    return appendMarked(batch.outputs[0]!, this.view.reader, message);
  }
}

/** Appends the record that `reader` stands on as one that was not understood; false where it does not fit. */
export function appendMarked(to: Batch, reader: RecordReader, message: string): boolean {
  return append(to, {
    payload: reader.payload,
    key: reader.key,
    contentType: reader.contentType,
    operation: reader.operation,
    timestamp: reader.timestamp,
    flags: reader.flags | RecordFlag.MARKED,
    attributes: withAttributes(reader.rawAttributes, new Map([[ERROR_ATTRIBUTE, message]])),
  }, reader);
}
