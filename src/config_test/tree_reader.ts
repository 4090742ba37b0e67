import { valueInWords } from "../config/coerce.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { type ConfigSource, formatPath, type Path } from "../config/source.ts";
import { didYouMean } from "../config/suggest.ts";
import { parseDuration } from "../config/units.ts";
import { compileExpression, type Expression, ExpressionError } from "../expression/expression.ts";
import { parseTimestamp } from "../expression/time.ts";

export type Tree = Record<string, unknown>;

/** Reads values out of a YAML file that was parsed, and notes what is wrong with them. What is wrong is read as undefined. */
export class TreeReader {
  readonly diagnostics: Diagnostic[] = [];
  readonly source: ConfigSource;

  constructor(source: ConfigSource) {
    this.source = source;
  }

  fault(
    path: Path,
    message: string,
    options: { suggestion?: string | undefined; at?: "key" | "value" } = {},
  ): undefined {
    if (!this.source.place(path)?.faulty) {
      this.diagnostics.push(this.source.diagnostic(path, message, options));
    }
    return undefined;
  }

  expected(path: Path, what: string, value: unknown): undefined {
    const at = typeof value === "object" ? "key" : "value";
    const found = valueInWords(value);
    return this.fault(path, `Expected ${what} for ${formatPath(path)}, found ${found}`, { at });
  }

  /** A group of settings, of which there are none but `known`. */
  group(value: unknown, path: Path, known: readonly string[]): Tree | undefined {
    if (!isTree(value)) return this.expected(path, "a group of settings", value);
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const where = path.length === 0 ? "" : ` in ${formatPath(path)}`;
      this.fault([...path, key], `Unknown key "${key}"${where}`, {
        suggestion: didYouMean(key, known),
        at: "key",
      });
    }
    return value;
  }

  list(value: unknown, path: Path): unknown[] | undefined {
    return Array.isArray(value) ? value : this.expected(path, "a list", value);
  }

  /** A text; numbers and booleans that are not quoted are text, too, as they are in YAML. */
  text(value: unknown, path: Path): string | undefined {
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    return this.expected(path, "text", value);
  }

  bool(value: unknown, path: Path): boolean | undefined {
    return typeof value === "boolean" ? value : this.expected(path, "true or false", value);
  }

  whole(value: unknown, path: Path): number | undefined {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.expected(path, "a whole number", value);
  }

  /** One of several words. */
  oneOf(value: unknown, path: Path, words: readonly string[]): string | undefined {
    if (typeof value === "string" && words.includes(value)) return value;
    const list = words.map((word) => `"${word}"`).join(", ");
    return this.fault(path, `Expected one of ${list} for ${formatPath(path)}`, {
      suggestion: typeof value === "string" ? didYouMean(value, words) : undefined,
    });
  }

  /** Milliseconds. */
  duration(value: unknown, path: Path): number | undefined {
    if (typeof value === "string" || typeof value === "number") {
      try {
        return parseDuration(value);
      } catch (error) {
        return this.fault(path, (error as Error).message);
      }
    }
    return this.expected(path, "a duration such as 500ms, 30s or 5m", value);
  }

  /** Nanoseconds since 1970, of an RFC 3339 time. */
  time(value: unknown, path: Path): bigint | undefined {
    if (typeof value === "string") {
      try {
        return parseTimestamp(value);
      } catch (error) {
        return this.fault(path, `${(error as Error).message}, in ${formatPath(path)}`);
      }
    }
    return this.expected(path, "a time such as 2026-01-31T12:00:00Z", value);
  }

  base64(value: unknown, path: Path): Uint8Array | undefined {
    try {
      if (typeof value === "string") return Uint8Array.fromBase64(value);
    } catch {
      // Said below.
    }
    return this.expected(path, "bytes in base64", value);
  }

  regex(value: unknown, path: Path): RegExp | undefined {
    const text = this.text(value, path);
    if (text === undefined) return undefined;
    try {
      return new RegExp(text, "u");
    } catch (error) {
      return this.fault(path, `Cannot read ${formatPath(path)}: ${(error as Error).message}`);
    }
  }

  condition(value: unknown, path: Path): Expression<boolean> | undefined {
    if (typeof value !== "string") return this.expected(path, "an expression in CEL", value);
    try {
      return compileExpression(value, "bool");
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const { start, end, unknown, message } = error;
      this.diagnostics.push(
        this.source.diagnosticIn(path, { text: value, start, end }, {
          message: `Cannot use ${formatPath(path)}: ${message}`,
          suggestion: unknown && didYouMean(unknown.name, unknown.known),
        }),
      );
      return undefined;
    }
  }
}

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
