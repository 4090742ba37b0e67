/** How events look as text. */
import { Operation } from "../../../ffi/layout.ts";
import type { BuiltinContext } from "../builtin.ts";

const OPERATION_NAMES = Object.entries(Operation).reduce<string[]>((names, [name, number]) => {
  names[number] = name.toLowerCase();
  return names;
}, []);
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** "message", "insert", "update", "delete", or the number of an operation that has no name. */
export function operationName(operation: number): string {
  return OPERATION_NAMES[operation] ?? String(operation);
}

/** Id of the source with a number, or the number where the pipeline names none. */
export function sourceName(context: BuiltinContext, source: number): string | number {
  return context.sources[source] ?? source;
}

/** The text in UTF-8, or undefined when it is none. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A member `name` with the text, or `name_base64` where the bytes are not UTF-8; about `max` characters at most. */
export function textMember(
  name: string,
  bytes: Uint8Array,
  max = Infinity,
): Record<string, string> {
  const text = utf8(cut(bytes, max));
  if (text !== undefined) return { [name]: text };
  return { [`${name}_base64`]: bytes.subarray(0, Math.floor(max / 4) * 3).toBase64() };
}

/** `bytes` up to `length`, without breaking a character of UTF-8 in two. */
function cut(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length <= length) return bytes;
  let end = length;
  while (end > 0 && end > length - 4 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** Nanoseconds since 1970 as "2026-11-20T18:25:00.123456789Z"; null when not known. */
export function isoTime(timestamp: bigint): string | null {
  if (timestamp === 0n) return null;
  const nanoseconds = ((timestamp % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = new Date(Number((timestamp - nanoseconds) / 1_000_000n)).toISOString();
  return `${seconds.slice(0, -5)}.${String(nanoseconds).padStart(9, "0")}Z`;
}
