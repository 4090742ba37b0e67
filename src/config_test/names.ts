import { ContentType, Operation } from "../../ffi/layout.ts";

function names(numbers: Readonly<Record<string, number>>): string[] {
  return Object.keys(numbers).map((name) => name.toLowerCase());
}

/** What an event can be, in the words of the configuration; their places are their numbers. */
export const OPERATIONS = names(Operation);
/** What a payload can be. */
export const CONTENT_TYPES = names(ContentType);

export function operationName(number: number): string {
  return OPERATIONS[number] ?? String(number);
}

export function contentTypeName(number: number): string {
  return CONTENT_TYPES[number] ?? String(number);
}
