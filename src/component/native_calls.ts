import { CallLayout, ERROR_CAPACITY, HeaderLayout, Status } from "../../ffi/layout.ts";
import type { ComponentRecord } from "../../ffi/flight_recorder.ts";
import { CALL_NUMBER, SlotLayout } from "../../ffi/recorder_layout.ts";
import { loadShim } from "../../ffi/shim.ts";
import { Arena } from "../event/arena.ts";
import { type Call, type CallMade, type HeaderPair, MAX_HEADERS } from "./call.ts";
import { type ComponentTable, offsetOfCall } from "./plugin_library.ts";

const at = CallLayout.offset;
const TEXT_MAX = 64 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where a string or bytes lie that a plugin may have replaced. */
interface Lent {
  address: bigint;
  length: number;
}

export interface PlaceOptions {
  /** The place's number and page in the recorder. */
  index: number;
  record: ComponentRecord;
  recordAddress: bigint;
  /** Number of the place among the instance's. */
  slot: number;
}

/** One place for calls on an instance of a service or hook: one call at a time, off the JavaScript thread. */
export class NativeCalls {
  readonly #table: ComponentTable;
  /** `struct bb_slot` of this place, then `busbar_call_t`. */
  readonly #memory = new Arena(SlotLayout.size + CallLayout.size);
  readonly #error = new Arena(ERROR_CAPACITY);
  /** Headers, texts and body of the request; as large as the largest so far. */
  #request = new Arena(4096);
  readonly #slotNumber: number;
  readonly #record: ComponentRecord;

  constructor(table: ComponentTable, options: PlaceOptions) {
    this.#table = table;
    this.#slotNumber = options.slot;
    this.#record = options.record;
    const { view } = this.#memory;
    const member = SlotLayout.offset;
    view.setBigUint64(member.table, Deno.UnsafePointer.value(table.pointer), true);
    view.setBigUint64(member.record, options.recordAddress, true);
    view.setUint32(member.index, options.index, true);
  }

  /** Calls the instance `self`. Nothing of what it gives is the plugin's any more. */
  async make(self: bigint, call: Call): Promise<CallMade> {
    const offset = call.call === "receive" ? -1 : offsetOfCall(this.#table, call.call);
    if (call.call === "receive" || offset < 0) return notOffered(call);
    const lent = this.#write(self, call);
    const shim = loadShim();
    const argument = Deno.UnsafePointer.create(this.#memory.address + BigInt(SlotLayout.size));
    const number = CALL_NUMBER[call.call];
    const status = await shim.bb_call_off_thread(this.#memory.pointer, number, offset, argument);
    if (status < 0) return this.#failure(status);
    // What it gives may point anywhere: if reading it ends the cell, that was this call.
    this.#record.enter(number, call.id);
    try {
      return this.#read(call, { status, lent });
    } finally {
      this.#record.leave(status);
    }
  }

  free(): void {
    for (const arena of [this.#memory, this.#error, this.#request]) arena.free();
  }

  #write(self: bigint, call: Call): Map<number, Lent> {
    const { view, bytes } = this.#memory;
    view.setBigUint64(SlotLayout.offset.self, self, true);
    const base = SlotLayout.size;
    bytes.fill(0, base, base + CallLayout.size);
    this.#error.bytes[0] = 0;
    view.setUint32(base + at.size, CallLayout.size, true);
    view.setUint32(base + at.slot, this.#slotNumber, true);
    view.setBigUint64(base + at.id, BigInt(call.id), true);
    view.setBigInt64(base + at.deadline, BigInt(call.deadline) * 1_000_000n, true);
    view.setBigUint64(base + at.error, this.#error.address, true);
    view.setUint32(base + at.error_capacity, ERROR_CAPACITY, true);
    const { answer } = call;
    const texts = [call.method, call.path, call.query].map((text) => encoder.encode(text));
    const lists = [call.headers, answer?.headers ?? []].map((list) =>
      list.map(([name, value]) => [encoder.encode(name), encoder.encode(value)] as const)
    );
    const parts = [...texts, call.body, answer?.body ?? new Uint8Array(0)];
    const count = lists.reduce((sum, list) => sum + list.length, 0);
    const size = [...parts, ...lists.flat(2)].reduce((sum, part) => sum + part.length, 0);
    this.#reserve(count * HeaderLayout.size + size);
    let offset = count * HeaderLayout.size;
    const request = this.#request;
    const put = (part: Uint8Array): Lent => {
      request.bytes.set(part, offset);
      const lent = { address: request.address + BigInt(offset), length: part.length };
      offset += part.length;
      return lent;
    };
    const lent = new Map<number, Lent>();
    const members = [at.method, at.path, at.query, at.body, at.answer];
    for (const [i, part] of parts.entries()) {
      const place = put(part);
      lent.set(members[i]!, place);
      view.setBigUint64(base + members[i]!, place.address, true);
      view.setBigUint64(base + members[i]! + 8, BigInt(place.length), true);
    }
    let entry = 0;
    for (const [i, list] of lists.entries()) {
      const [pointer, number] = i === 0
        ? [at.headers, at.header_count]
        : [at.answer_headers, at.answer_header_count];
      const address = request.address + BigInt(entry);
      lent.set(pointer, { address, length: list.length });
      view.setBigUint64(base + pointer, address, true);
      view.setUint32(base + number, list.length, true);
      for (const pair of list) {
        for (const part of pair) {
          const place = put(part);
          request.view.setBigUint64(entry, place.address, true);
          request.view.setBigUint64(entry + 8, BigInt(place.length), true);
          entry += HeaderLayout.size / 2;
        }
      }
    }
    view.setUint32(base + at.answer_status, answer?.status ?? 0, true);
    return lent;
  }

  #reserve(size: number): void {
    if (size <= this.#request.size) return;
    this.#request.free();
    this.#request = new Arena(size);
  }

  #read(call: Call, { status, lent }: { status: number; lent: Map<number, Lent> }): CallMade {
    const { view } = this.#memory;
    const base = SlotLayout.size;
    const none = { status: 0, headers: [], body: new Uint8Array(0) };
    try {
      const result: CallMade = { status, message: "", answer: none, changes: {} };
      if (call.call === "before_request" && status === Status.OK) {
        for (const name of ["method", "path", "query"] as const) {
          const text = this.#changed(at[name], lent, TEXT_MAX);
          if (text !== undefined) result.changes[name] = decoder.decode(text);
        }
        if (this.#moved(at.headers, lent, view.getUint32(base + at.header_count, true))) {
          result.changes.headers = this.#headers(at.headers, at.header_count);
        }
        const body = this.#changed(at.body, lent, call.maxOutput);
        if (body !== undefined) result.body = body;
        return result;
      }
      result.answer = {
        status: view.getUint32(base + at.answer_status, true),
        headers: this.#headers(at.answer_headers, at.answer_header_count),
        body: this.#bytes(at.answer, call.maxOutput),
      };
      return result;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return { status: Status.FAILED, message: error.message, answer: none, changes: {} };
    }
  }

  #failure(status: number): CallMade {
    const { bytes } = this.#error;
    const end = bytes.indexOf(0);
    const message = decoder.decode(bytes.slice(0, end < 0 ? ERROR_CAPACITY : end));
    const answer = { status: 0, headers: [], body: new Uint8Array(0) };
    return { status, message, answer, changes: {} };
  }

  #moved(member: number, lent: Map<number, Lent>, length: number): boolean {
    const before = lent.get(member)!;
    const address = this.#memory.view.getBigUint64(SlotLayout.size + member, true);
    return address !== before.address || length !== before.length;
  }

  #changed(member: number, lent: Map<number, Lent>, max: number): Uint8Array | undefined {
    const length = this.#memory.view.getBigUint64(SlotLayout.size + member + 8, true);
    return this.#moved(member, lent, Number(length)) ? this.#bytes(member, max) : undefined;
  }

  /** Copies what the call names at `member`. */
  #bytes(member: number, max: number): Uint8Array<ArrayBuffer> {
    const { view } = this.#memory;
    return copy(
      view.getBigUint64(SlotLayout.size + member, true),
      view.getBigUint64(SlotLayout.size + member + 8, true),
      max,
    );
  }

  #headers(list: number, number: number): HeaderPair[] {
    const { view } = this.#memory;
    const count = view.getUint32(SlotLayout.size + number, true);
    if (count > MAX_HEADERS) {
      throw new RangeError(`it gives ${count} headers, at most ${MAX_HEADERS} are allowed`);
    }
    const pointer = Deno.UnsafePointer.create(view.getBigUint64(SlotLayout.size + list, true));
    if (pointer === null || count === 0) return [];
    const entries = new Deno.UnsafePointerView(pointer);
    const text = (offset: number) =>
      decoder.decode(
        copy(entries.getBigUint64(offset), entries.getBigUint64(offset + 8), TEXT_MAX),
      );
    return Array.from({ length: count }, (_, i): HeaderPair => {
      const offset = i * HeaderLayout.size;
      return [text(offset).toLowerCase(), text(offset + HeaderLayout.size / 2)];
    });
  }
}

function copy(address: bigint, length: bigint, max: number): Uint8Array<ArrayBuffer> {
  if (length > BigInt(max)) {
    throw new RangeError(`it gives ${length} bytes, at most ${max} are allowed`);
  }
  const pointer = Deno.UnsafePointer.create(address);
  const bytes = new Uint8Array(pointer === null ? 0 : Number(length));
  if (pointer !== null && bytes.length > 0) Deno.UnsafePointerView.copyInto(pointer, bytes);
  return bytes;
}

/** A hook that lacks a call lets everything pass; a service or endpoint without it is an error. */
export function notOffered({ call, answer }: Call): CallMade {
  const none = { status: 0, headers: [], body: new Uint8Array(0) };
  if (call === "before_request") {
    return { status: Status.OK, message: "", answer: none, changes: {} };
  }
  if (call === "after_response") {
    return { status: Status.OK, message: "", answer: answer ?? none, changes: {} };
  }
  return {
    status: Status.FAILED,
    message: `it does not offer "${call}"`,
    answer: none,
    changes: {},
  };
}
