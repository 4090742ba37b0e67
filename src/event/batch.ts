import { BatchLayout, POSITION_MAX, RecordLayout } from "../../ffi/layout.ts";
import { Arena } from "./arena.ts";

const at = BatchLayout.offset;
const FLAGS = at.flags >> 2;
const DATA = at.data >> 2;
const CAPACITY = at.capacity >> 2;
const LENGTH = at.length >> 2;
const COUNT = at.count >> 2;
const LIMIT = at.limit >> 2;
const NEXT_SEQUENCE = at.next_sequence >> 2;
const DONE = at.done >> 2;
const SOURCE = at.source >> 2;
const CURSOR = at.cursor >> 2;
const REQUIRED = at.required >> 2;
const ID = at.id >> 2;
const POSITION = at.position >> 3;
const POSITION_LENGTH = at.position_length >> 2;
const POSITION_CAPACITY = at.position_capacity >> 2;
const LOAN = at.loan >> 2;
const OUT = at.out >> 2;
const OUT_COUNT = at.out_count >> 2;
const HIGH = 2 ** 32;
const MINIMUM = RecordLayout.size;

/** Where the position lies in the memory of a source's batch. */
const POSITION_AT = 256;

export interface BatchOptions {
  /** Bytes of the arena; 0 for a window on another batch. */
  bytes: number;
  /** Records that fit at most. */
  limit: number;
  /** Whether it has room for a position, as the batches of a source do. */
  withPosition?: boolean;
}

/**
 * A `busbar_batch_t` and the memory it describes. Native components get {@linkcode Batch.pointer}; TypeScript reads and
 * writes the same bytes. Lengths are below 4 GiB and sequences below 2^53, so plain numbers hold them.
 */
export class Batch {
  readonly pointer: Deno.PointerObject;
  readonly address: bigint;
  /** How many consumers still have to let go of it; kept by the pipeline. */
  references = 0;
  /** Where the source writes the position; only the first {@linkcode positionLength} bytes count. */
  readonly positionBuffer: Uint8Array<ArrayBuffer>;
  /** The same memory, word by word. */
  readonly positionWords: Int32Array;
  /** One batch for each output while a processor works on this one. */
  outputs: readonly Batch[] = NONE;
  /**
   * The JSON objects and lists that payloads are, by the index of their record, as far as whoever wrote it knows them. They spare
   * the next component in this process to parse them again; nobody changes them.
   */
  values: (object | undefined)[] = [];
  #head: Arena;
  #arena: Arena | null = null;
  /** The two words of the arena's address. */
  #arenaLow = 0;
  #arenaHigh = 0;
  #words: Int32Array;
  #longs: BigUint64Array;
  #base: Batch | null = null;
  #baseOffset = 0;
  #borrowed: ArrayBuffer | null = null;
  #bytes: Uint8Array<ArrayBuffer> | null = null;
  #view: DataView<ArrayBuffer> | null = null;

  constructor(options: BatchOptions) {
    this.#head = new Arena(POSITION_AT + (options.withPosition ? POSITION_MAX : 0));
    this.pointer = this.#head.pointer;
    this.address = this.#head.address;
    this.#words = new Int32Array(this.#head.buffer, 0, BatchLayout.size >> 2);
    this.#longs = new BigUint64Array(this.#head.buffer, 0, BatchLayout.size >> 3);
    this.positionBuffer = this.#head.bytes.subarray(
      POSITION_AT,
      POSITION_AT + (options.withPosition ? POSITION_MAX : 0),
    );
    this.positionWords = new Int32Array(
      this.#head.buffer,
      POSITION_AT,
      this.positionBuffer.length >> 2,
    );
    this.#words[0] = BatchLayout.size;
    this.#words[LIMIT] = options.limit;
    if (options.withPosition) {
      this.#longs[POSITION] = this.#head.address + BigInt(POSITION_AT);
      this.#words[POSITION_CAPACITY] = POSITION_MAX;
    }
    if (options.bytes > 0) this.resize(options.bytes);
  }

  get count(): number {
    return this.#words[COUNT]!;
  }
  set count(value: number) {
    this.#words[COUNT] = value;
  }

  /** Bytes of records. */
  get length(): number {
    return this.#words[LENGTH]!;
  }
  set length(value: number) {
    this.#words[LENGTH] = value;
  }

  /** Bytes that may be written. */
  get capacity(): number {
    return this.#words[CAPACITY]!;
  }

  get limit(): number {
    return this.#words[LIMIT]!;
  }

  get flags(): number {
    return this.#words[FLAGS]!;
  }
  set flags(value: number) {
    this.#words[FLAGS] = value;
  }

  /** What the next appended event is numbered. */
  get nextSequence(): number {
    return (this.#words[NEXT_SEQUENCE]! >>> 0) + this.#words[NEXT_SEQUENCE + 1]! * HIGH;
  }
  set nextSequence(value: number) {
    this.#words[NEXT_SEQUENCE] = value;
    this.#words[NEXT_SEQUENCE + 1] = value / HIGH;
  }

  get done(): number {
    return this.#words[DONE]! >>> 0;
  }
  set done(value: number) {
    this.#words[DONE] = value;
  }

  get source(): number {
    return this.#words[SOURCE]!;
  }
  set source(value: number) {
    this.#words[SOURCE] = value;
  }

  get cursor(): number {
    return (this.#words[CURSOR]! >>> 0) + (this.#words[CURSOR + 1]! >>> 0) * HIGH;
  }
  set cursor(value: number) {
    this.#words[CURSOR] = value;
    this.#words[CURSOR + 1] = 0;
  }

  /** Bytes that the record needs which did not fit into an empty arena; 0 when none. */
  get required(): number {
    return (this.#words[REQUIRED]! >>> 0) + (this.#words[REQUIRED + 1]! >>> 0) * HIGH;
  }
  set required(value: number) {
    this.#words[REQUIRED] = value;
    this.#words[REQUIRED + 1] = 0;
  }

  /** Names a batch while it is pending; 31 bits, so that it may come again after 2^31 writes. */
  get id(): number {
    return this.#words[ID]!;
  }
  set id(value: number) {
    this.#words[ID] = value;
  }

  /** When the events that it stems from left their source, as performance.now() has it; 0: not known. */
  get leftAt(): number {
    return 0;
  }

  /** Time of a tick, nanoseconds since 1970. */
  get now(): bigint {
    return this.#longs[at.now >> 3]!;
  }
  set now(value: bigint) {
    this.#longs[at.now >> 3] = value;
  }

  /** Bytes of the position that the source set; 0: none. */
  get positionLength(): number {
    return Math.min(this.#words[POSITION_LENGTH]! >>> 0, this.positionBuffer.length);
  }

  /** Says where the source resumes after this batch. Throws when it is longer than {@linkcode POSITION_MAX}. */
  setPosition(position: Uint8Array): void {
    if (position.length > POSITION_MAX) {
      throw new RangeError(
        `Cannot set a position of ${position.length} bytes: at most ${POSITION_MAX}`,
      );
    }
    this.positionBuffer.set(position);
    this.#words[POSITION_LENGTH] = position.length;
  }

  /** Whether the data is memory that the source lent. */
  get lent(): boolean {
    return (this.#words[LOAN]! | this.#words[LOAN + 1]!) !== 0;
  }

  /** The source's token for what it lent; 0n: nothing. */
  get loan(): bigint {
    return this.#longs[LOAN >> 1]!;
  }

  /** The bytes that the records lie in, from the first record on; those beyond `length` are not part of the batch. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes ??= this.#viewOf((buffer, offset) => new Uint8Array(buffer, offset));
  }

  /** The same bytes as {@linkcode Batch.bytes}, to read numbers from. */
  get view(): DataView<ArrayBuffer> {
    return this.#view ??= this.#viewOf((buffer, offset) => new DataView(buffer, offset));
  }

  /** Empties it for the next use and takes the arena back where memory was lent. */
  reset(): void {
    const words = this.#words;
    words[LENGTH] = 0;
    words[COUNT] = 0;
    words[FLAGS] = 0;
    words[REQUIRED] = 0;
    words[POSITION_LENGTH] = 0;
    words[DONE] = 0;
    words[CURSOR] = 0;
    words[CURSOR + 1] = 0;
    if (this.values.length > 0) this.values = [];
    if ((words[LOAN]! | words[LOAN + 1]!) !== 0) this.#takeBack();
  }

  /** To be called when a source has set memory of its own: views made before show the arena. */
  showLoan(): void {
    this.#bytes = this.#view = null;
  }

  /** Makes it offerable: nothing done, read from the start. */
  rewind(): void {
    this.#words[DONE] = 0;
    this.#words[CURSOR] = 0;
    this.#words[CURSOR + 1] = 0;
  }

  /** Replaces the arena by one of at least `bytes`. Only while the batch is empty. */
  resize(bytes: number): void {
    this.#arena?.free();
    this.#arena = new Arena(bytes);
    this.#useArena(this.#arena);
  }

  /** Tells a processor where to write to: `table` is the address of `outputs.length` batch pointers. */
  setOutputs(table: bigint, outputs: readonly Batch[]): void {
    // Writing a bigint is slow, and it is most often the same processor that reads this batch.
    if (this.outputs === outputs) return;
    this.#longs[OUT >> 1] = table;
    this.#words[OUT_COUNT] = outputs.length;
    this.outputs = outputs;
  }

  /** Where in its base a window begins. */
  get offsetInBase(): number {
    return this.#baseOffset;
  }

  /** Shows the records of `base` from byte `offset` to `end`, `count` of them, with a `done` and `cursor` of its own. */
  showPartOf(base: Batch, part: { offset: number; end: number; count: number }): void {
    const { offset, end, count } = part;
    this.#words.set(base.#words);
    this.#base = base;
    this.#baseOffset = offset;
    this.#bytes = this.#view = null;
    this.#longs[DATA >> 1] = base.#longs[DATA >> 1]! + BigInt(offset);
    this.#words[CAPACITY] = 0;
    this.#words[CAPACITY + 1] = 0;
    this.length = end - offset;
    this.outputs = NONE;
    this.values = offset === 0 ? base.values : [];
    this.#words[COUNT] = count;
    this.#words[LOAN] = this.#words[LOAN + 1] = 0;
    this.rewind();
  }

  /** Of a window: leaves out the first `offset` bytes of what it shows; `count` records are behind them. */
  skip(offset: number, count: number): void {
    const end = this.#baseOffset + this.length;
    this.showPartOf(this.#base!, { offset: this.#baseOffset + offset, end, count });
  }

  /**
   * Whether it is as a source or processor should leave it, with as many records as are allowed, so that it can be handed
   * on without a closer look. False also for good batches with fewer records.
   */
  get isPlainAndFull(): boolean {
    const words = this.#words;
    const length = words[LENGTH]!;
    return words[COUNT] === words[LIMIT] && (length & 7) === 0 && length <= words[CAPACITY]! &&
      length >= words[COUNT]! * MINIMUM &&
      words[DATA] === this.#arenaLow && words[DATA + 1] === this.#arenaHigh &&
      words[POSITION_LENGTH]! <= words[POSITION_CAPACITY]! &&
      (words[LENGTH + 1]! | words[REQUIRED]! | words[LOAN]! | words[LOAN + 1]!) === 0;
  }

  /**
   * Why what a plugin left behind cannot be a batch, or "". Cheap: the records themselves are checked by whoever
   * reads them.
   */
  fault(): string {
    const words = this.#words;
    const length = words[LENGTH]! >>> 0;
    const count = words[COUNT]! >>> 0;
    if (words[LENGTH + 1] !== 0 || length > 2 ** 31) return "its length is more than 2 GiB";
    if (length > words[CAPACITY]! && !this.lent) {
      return `its length is ${length} bytes, but its capacity ${words[CAPACITY]}`;
    }
    if (count * MINIMUM > length) return `it says to hold ${count} records in ${length} bytes`;
    if (count === 0 && length !== 0) return `it says to hold no records in ${length} bytes`;
    if ((length & 7) !== 0) return `its length of ${length} bytes is not a multiple of 8`;
    if ((words[DATA]! & 7) !== 0) return "its data does not begin at a multiple of 8 bytes";
    if (!this.lent && (words[DATA] !== this.#arenaLow || words[DATA + 1] !== this.#arenaHigh)) {
      return "its data is not where the host's memory is, and no loan";
    }
    const position = words[POSITION_LENGTH]! >>> 0;
    const room = words[POSITION_CAPACITY]! >>> 0;
    if (position > room) return `its position has ${position} bytes, but room for ${room}`;
    return "";
  }

  /** Gives all memory back. Nothing native may still use it. */
  free(): void {
    this.#takeBack();
    this.#arena?.free();
    this.#head.free();
  }

  #useArena(arena: Arena): void {
    this.#longs[DATA >> 1] = arena.address;
    this.#arenaLow = this.#words[DATA]!;
    this.#arenaHigh = this.#words[DATA + 1]!;
    this.#longs[CAPACITY >> 1] = BigInt(arena.size);
    this.#bytes = arena.bytes;
    this.#view = arena.view;
  }

  #takeBack(): void {
    this.#borrowed?.transfer(0);
    this.#borrowed = null;
    this.#longs[LOAN >> 1] = 0n;
    if (this.#arena) this.#useArena(this.#arena);
  }

  #viewOf<V>(make: (buffer: ArrayBuffer, offset: number) => V): V {
    if (this.#base) return this.#base.#viewAt(make, this.#baseOffset);
    return this.#viewAt(make, 0);
  }

  #viewAt<V>(make: (buffer: ArrayBuffer, offset: number) => V, offset: number): V {
    if (this.#base) return this.#base.#viewAt(make, this.#baseOffset + offset);
    if (!this.lent) return make(this.#arena!.buffer, offset);
    if (this.#borrowed === null) {
      const pointer = Deno.UnsafePointer.create(this.#longs[DATA >> 1]!)!;
      this.#borrowed = Deno.UnsafePointerView.getArrayBuffer(pointer, this.length);
    }
    return make(this.#borrowed, offset);
  }
}

const NONE: readonly Batch[] = [];
