import { parseJson } from "../../expression/payloads.ts";

/**
 * Reads one value of JSON documents by a JSON pointer (RFC 6901), as text; whole numbers keep all their digits. What it reads with gives undefined where there is no such
 * value, or it is an object, an array or null, or the bytes are no JSON.
 *
 * @throws {Error} for a text that is no pointer
 */
export function pointerReader(pointer: string): (json: Uint8Array) => string | undefined {
  if (!/^(\/([^~]|~[01])*)+$/.test(pointer)) {
    throw new Error(`Cannot read JSON pointer "${pointer}": expected one such as /user/id`);
  }
  const keys = pointer.slice(1).split("/").map((key) =>
    key.replaceAll("~1", "/").replaceAll("~0", "~")
  );
  const decoder = new TextDecoder();
  return (json) => {
    let value: unknown;
    try {
      value = parseJson(decoder.decode(json));
    } catch {
      return undefined;
    }
    for (const key of keys) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) {
        return undefined;
      }
      value = (value as Record<string, unknown>)[key];
    }
    return typeof value === "object" || value === undefined ? undefined : String(value);
  };
}
