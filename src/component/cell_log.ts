import { FieldLayout, LogRecordLayout } from "../../ffi/layout.ts";
import { loadShim } from "../../ffi/shim.ts";
import { Arena } from "../event/arena.ts";

/** Levels by their number in the contract. */
export const LOG_LEVELS = { trace: 1, debug: 2, info: 3, warning: 4, error: 5, fatal: 6 } as const;
export type LogLevelName = keyof typeof LOG_LEVELS;

const FIELD_TYPES = { string: 0, number: 1, boolean: 2, object: 3 } as const;
const BYTES = 64 * 1024;
/** What does not fit into a slot of the ring is left out whole, so a text is cut to leave room for the other fields. */
const TEXT_MAX = 1536;
const encoder = new TextEncoder();

/**
 * Log records of the cell and of components written in TypeScript. They take the way of the plugins' records, through
 * the flight recorder, so that the last ones before a crash are read as well.
 */
export class CellLog {
  readonly #memory = new Arena(BYTES);
  #used = 0;

  /** Logs one record; long texts are cut. */
  write(level: LogLevelName, message: string, fields: Record<string, unknown> = {}): void {
    const entries = Object.entries(fields).filter(([, value]) => value !== undefined).slice(0, 24);
    const { view, bytes } = this.#memory;
    const fieldsAt = LogRecordLayout.size;
    this.#used = fieldsAt + entries.length * FieldLayout.size;
    bytes.fill(0, 0, this.#used);
    const at = LogRecordLayout.offset;
    view.setUint32(at.size, LogRecordLayout.size, true);
    view.setInt32(at.level, LOG_LEVELS[level], true);
    this.#text(at.target, "cell");
    this.#text(at.message, message);
    view.setBigUint64(at.fields, this.#memory.address + BigInt(fieldsAt), true);
    view.setUint32(at.field_count, entries.length, true);
    for (const [i, [name, value]] of entries.entries()) {
      const base = fieldsAt + i * FieldLayout.size;
      const type = FIELD_TYPES[typeof value as keyof typeof FIELD_TYPES] ?? FIELD_TYPES.string;
      this.#text(base + FieldLayout.offset.name, name);
      const text = type === FIELD_TYPES.object ? JSON.stringify(value) : String(value);
      this.#text(base + FieldLayout.offset.value, text);
      view.setUint32(base + FieldLayout.offset.type, type, true);
    }
    loadShim().bb_log(bytes.subarray(0, fieldsAt));
  }

  #text(member: number, text: string): void {
    const { view, bytes, address } = this.#memory;
    const room = Math.min(TEXT_MAX, BYTES - this.#used);
    const { written } = encoder.encodeInto(text, bytes.subarray(this.#used, this.#used + room));
    view.setBigUint64(member, address + BigInt(this.#used), true);
    view.setBigUint64(member + 8, BigInt(written), true);
    this.#used += written;
  }
}
