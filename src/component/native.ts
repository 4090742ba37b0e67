import {
  AcknowledgedLayout,
  ContextLayout,
  ERROR_CAPACITY,
  HealthLayout,
  StateLayout,
  Status,
} from "../../ffi/layout.ts";
import { CALL_NUMBER, type CallName, SlotLayout } from "../../ffi/recorder_layout.ts";
import { loadShim, type Shim } from "../../ffi/shim.ts";
import { Arena } from "../event/arena.ts";
import type { Batch } from "../event/batch.ts";
import type { Call, CallMade } from "./call.ts";
import type { Instance, Result, Resume, SavedState } from "./component.ts";
import { NativeCalls, type PlaceOptions } from "./native_calls.ts";
import { type ComponentTable, offsetOfCall } from "./plugin_library.ts";

const context = SlotLayout.offset.context;
const at = ContextLayout.offset;
const WOKEN = SlotLayout.offset.woken >> 2;
const MESSAGE_MAX = 4096;
/** No status: those are bytes. */
const NO_PRESET = 0x7fff;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface NativeOptions {
  id: string;
  pipelineId: string;
  plugin: string;
  index: number;
  blocking: boolean;
  outputs: readonly string[];
  tickInterval: number;
  table: ComponentTable;
  /** The settings as JSON. */
  config: string;
  pluginDirectory: string;
  dataDirectory: string;
  partitionIndex: number;
  partitionCount: number;
  /** `struct bb_component` of this component in the flight recorder. */
  record: bigint;
}

/** An instance of a component of a plugin. Its context and slot lie in memory of their own until {@linkcode free}. */
export class NativeInstance implements Instance {
  readonly id: string;
  readonly kind;
  readonly plugin: string;
  readonly index: number;
  readonly blocking: boolean;
  readonly outputs: readonly string[];
  readonly tickInterval: number;
  readonly #shim: Shim;
  readonly #table: ComponentTable;
  readonly #memory: Arena;
  readonly #slot: Deno.PointerObject;
  readonly #words: Uint32Array;
  readonly #error: Arena;
  /** For arguments of rare calls. */
  readonly #argument: Arena;
  #resume: Arena | null = null;
  #message = "";
  #preset = NO_PRESET;

  constructor(options: NativeOptions) {
    const { id, plugin, index, blocking, outputs, tickInterval, table } = options;
    this.id = id;
    this.plugin = plugin;
    this.index = index;
    this.kind = table.kind;
    this.blocking = blocking;
    this.outputs = outputs;
    this.tickInterval = tickInterval;
    this.#shim = loadShim();
    this.#table = table;
    const strings = [
      options.pipelineId,
      id,
      options.config,
      options.pluginDirectory,
      options.dataDirectory,
      table.name,
    ].map((text) => encoder.encode(text));
    const stringsAt = SlotLayout.size;
    this.#memory = new Arena(stringsAt + strings.reduce((sum, text) => sum + text.length + 1, 0));
    // Ends where a page begins that faults: a message that runs over stops the plugin that wrote it.
    this.#error = new Arena(ERROR_CAPACITY);
    this.#argument = new Arena(4096);
    this.#slot = this.#memory.pointer;
    this.#words = new Uint32Array(this.#memory.buffer, 0, SlotLayout.size >> 2);
    const { view, bytes, address } = this.#memory;
    const long = (offset: number, value: bigint) => view.setBigUint64(offset, value, true);
    const word = (offset: number, value: number) => view.setUint32(offset, value, true);
    long(SlotLayout.offset.table, Deno.UnsafePointer.value(table.pointer));
    long(SlotLayout.offset.record, options.record);
    word(SlotLayout.offset.index, index);
    word(context + at.size, ContextLayout.size);
    long(context + at.host, Deno.UnsafePointer.value(this.#shim.bb_host()));
    long(context + at.error, this.#error.address);
    word(context + at.error_capacity, ERROR_CAPACITY);
    word(context + at.partition_index, options.partitionIndex);
    word(context + at.partition_count, options.partitionCount);
    long(context + at.internal, address);
    let offset = stringsAt;
    const members = [
      at.pipeline_id,
      at.component_id,
      at.config,
      at.plugin_directory,
      at.data_directory,
      at.component,
    ];
    for (const [i, text] of strings.entries()) {
      bytes.set(text, offset);
      long(context + members[i]!, address + BigInt(offset));
      long(context + members[i]! + 8, BigInt(text.length));
      offset += text.length + 1;
    }
  }

  has(call: CallName): boolean {
    return offsetOfCall(this.#table, call) >= 0;
  }

  error(): string {
    const own = this.#message;
    this.#message = "";
    if (own !== "") return own;
    const { bytes } = this.#error;
    const end = bytes.indexOf(0);
    const text = decoder.decode(bytes.slice(0, end < 0 ? ERROR_CAPACITY : end));
    bytes[0] = 0;
    return text;
  }

  get woken(): boolean {
    return Atomics.load(this.#words, WOKEN) !== 0;
  }

  takeWake(): boolean {
    return this.#words[WOKEN] !== 0 && Atomics.exchange(this.#words, WOKEN, 0) !== 0;
  }

  setResume(resume: Resume): void {
    const { position, acknowledged } = resume;
    const names = acknowledged.map((item) => encoder.encode(item.sourceId));
    const size = AcknowledgedLayout.size * acknowledged.length + position.length +
      names.reduce((sum, name) => sum + name.length, 0);
    this.#resume?.free();
    const memory = this.#resume = new Arena(size);
    const { view, bytes, address } = memory;
    let offset = AcknowledgedLayout.size * acknowledged.length;
    for (const [i, item] of acknowledged.entries()) {
      const base = AcknowledgedLayout.size * i;
      const { offset: member } = AcknowledgedLayout;
      bytes.set(names[i]!, offset);
      view.setBigUint64(base + member.source_id, address + BigInt(offset), true);
      view.setBigUint64(base + member.source_id + 8, BigInt(names[i]!.length), true);
      view.setBigUint64(base + member.sequence, BigInt(item.sequence), true);
      view.setUint32(base + member.source, item.source, true);
      offset += names[i]!.length;
    }
    bytes.set(position, offset);
    const own = this.#memory.view;
    own.setUint32(context + at.acknowledged_count, acknowledged.length, true);
    own.setBigUint64(context + at.acknowledged, address, true);
    own.setBigUint64(context + at.position, address + BigInt(offset), true);
    own.setBigUint64(context + at.position + 8, BigInt(position.length), true);
  }

  create(): Result {
    return this.#call("create", null);
  }

  restore(state: SavedState): Result {
    const data = new Arena(state.data.length);
    data.bytes.set(state.data);
    const { view, pointer } = this.#argument;
    view.setUint32(StateLayout.offset.size, StateLayout.size, true);
    view.setUint32(StateLayout.offset.version, state.version, true);
    view.setBigUint64(StateLayout.offset.data, data.address, true);
    view.setBigUint64(StateLayout.offset.data + 8, BigInt(state.data.length), true);
    const result = this.#call("restore", pointer);
    if (typeof result === "number") data.free();
    else void result.finally(() => data.free());
    return result;
  }

  start(): Result {
    return this.has("start") ? this.#call("start", null) : Status.OK;
  }

  stop(): Result {
    return this.has("stop") ? this.#call("stop", null) : Status.OK;
  }

  async save(): Promise<SavedState | number> {
    const { view, pointer, bytes } = this.#argument;
    bytes.fill(0, 0, StateLayout.size);
    view.setUint32(StateLayout.offset.size, StateLayout.size, true);
    const status = await this.#call("save", pointer);
    if (status !== Status.OK) return status;
    const data = this.#plugins(StateLayout.offset.data, 2 ** 32);
    return { version: view.getUint32(StateLayout.offset.version, true), data };
  }

  destroy(): Result {
    const result = this.#call("destroy", null);
    if (typeof result !== "number") return result.finally(() => this.#free());
    this.#free();
    return result;
  }

  health(): Result {
    const { view, pointer, bytes } = this.#argument;
    bytes.fill(0, 0, HealthLayout.size);
    view.setUint32(HealthLayout.offset.size, HealthLayout.size, true);
    const noteMessage = (status: number): number => {
      this.#message = decoder.decode(this.#plugins(HealthLayout.offset.message, MESSAGE_MAX));
      return status;
    };
    const result = this.#call("health", pointer);
    return typeof result === "number" ? noteMessage(result) : result.then(noteMessage);
  }

  poll(batch: Batch): Result {
    if (!this.blocking) return this.#shim.bb_poll(this.#slot, batch.pointer);
    return this.#shim.bb_poll_off_thread(this.#slot, batch.pointer);
  }

  commit(position: Uint8Array): Result {
    const text = new Arena(16 + position.length);
    text.view.setBigUint64(0, text.address + 16n, true);
    text.view.setBigUint64(8, BigInt(position.length), true);
    text.bytes.set(position, 16);
    const result = this.#call("commit", text.pointer);
    if (typeof result === "number") text.free();
    else void result.finally(() => text.free());
    return result;
  }

  release(loan: bigint): Result {
    if (!this.has("release")) return Status.OK;
    return this.#call("release", Deno.UnsafePointer.create(loan));
  }

  /** Where the shim finds the instance. */
  get slot(): bigint {
    return this.#memory.address;
  }

  /** Makes the next `process` or `write` give this status: the shim made the call already, see `bb_run`. */
  preset(status: number): void {
    this.#preset = status;
  }

  process(batch: Batch): Result {
    if (this.#preset !== NO_PRESET) return this.#takePreset();
    return this.#process(batch, CALL_NUMBER.process);
  }

  tick(batch: Batch): Result {
    // A reaction's stands at another place of its table.
    if (this.kind === "reaction") return this.#call("tick", batch.pointer);
    return this.#process(batch, CALL_NUMBER.tick);
  }

  write(batch: Batch): Result {
    if (this.#preset !== NO_PRESET) return this.#takePreset();
    if (!this.blocking) return this.#shim.bb_write(this.#slot, batch.pointer);
    return this.#shim.bb_write_off_thread(this.#slot, batch.pointer);
  }

  flush(): Result {
    return this.#call("flush", null);
  }

  /** A place for calls of a service or hook. */
  place(options: PlaceOptions): { make(call: Call): Promise<CallMade>; free(): void } {
    const calls = new NativeCalls(this.#table, options);
    const self = () => this.#memory.view.getBigUint64(SlotLayout.offset.self, true);
    return { make: (call) => calls.make(self(), call), free: () => calls.free() };
  }

  #takePreset(): number {
    const status = this.#preset;
    this.#preset = NO_PRESET;
    return status;
  }

  #process(batch: Batch, call: number): Result {
    if (!this.blocking) return this.#shim.bb_process(this.#slot, batch.pointer, call);
    return this.#shim.bb_process_off_thread(this.#slot, batch.pointer, call);
  }

  #call(call: CallName, argument: Deno.PointerValue): Result {
    const offset = offsetOfCall(this.#table, call);
    const number = CALL_NUMBER[call];
    if (!this.blocking) return this.#shim.bb_call(this.#slot, number, offset, argument);
    return this.#shim.bb_call_off_thread(this.#slot, number, offset, argument);
  }

  /** Copies bytes of the plugin's that it named in the argument, at most `max`. */
  #plugins(offset: number, max: number): Uint8Array {
    const { view } = this.#argument;
    const length = Math.min(Number(view.getBigUint64(offset + 8, true)), max);
    const pointer = Deno.UnsafePointer.create(view.getBigUint64(offset, true));
    if (pointer === null || length === 0) return new Uint8Array(0);
    const bytes = new Uint8Array(length);
    Deno.UnsafePointerView.copyInto(pointer, bytes);
    return bytes;
  }

  #free(): void {
    for (const arena of [this.#memory, this.#error, this.#argument, this.#resume]) arena?.free();
  }
}
