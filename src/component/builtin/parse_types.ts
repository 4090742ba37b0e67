import { parseJson } from "../../expression/payloads.ts";

export type TypeName = keyof typeof CONVERSIONS;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  false: false,
  "1": true,
  "0": false,
};

const CONVERSIONS = {
  int(text: string): unknown {
    if (!/^[+-]?\d+$/.test(text)) return undefined;
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : BigInt(text.replace(/^\+/, ""));
  },
  float(text: string): unknown {
    const number = NUMBER.test(text) ? Number(text) : NaN;
    return Number.isFinite(number) ? number : undefined;
  },
  bool(text: string): unknown {
    const name = text.toLowerCase();
    return Object.hasOwn(BOOLEANS, name) ? BOOLEANS[name] : undefined;
  },
  json(text: string): unknown {
    try {
      return parseJson(text);
    } catch {
      return undefined;
    }
  },
  text: (text: string): unknown => text,
};

/** Gives members of `fields` the types that they are set to; a text among `nulls` becomes null, save for `text`. */
export function convertFields(
  fields: Record<string, unknown>,
  { types, nulls }: {
    types: readonly [name: string, type: TypeName][];
    nulls: ReadonlySet<string>;
  },
): void {
  for (const [name, type] of types) {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined || value === null) continue;
    if (typeof value === "object") {
      if (type === "json") continue;
      throw new Error(`Cannot make ${type} of "${name}": it is a list or a map`);
    }
    const text = String(value);
    if (type !== "text" && nulls.has(text)) {
      fields[name] = null;
      continue;
    }
    const converted = CONVERSIONS[type](text);
    if (converted === undefined) {
      const shown = JSON.stringify(text.slice(0, 64));
      throw new Error(`Cannot make ${type} of "${name}": ${shown} is none`);
    }
    fields[name] = converted;
  }
}
