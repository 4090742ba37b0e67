import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from "yaml";
import type { YAMLError, YAMLMap } from "yaml";
import type { Diagnostic } from "./diagnostic.ts";
import { didYouMean } from "./suggest.ts";
import { interpolate, mask, type Surroundings, unmask } from "./interpolate.ts";
import { ConfigSource, formatPath, type Path, type Range } from "./source.ts";

const MAX_DEPTH = 64;
const MAX_VALUES = 100_000;

export interface ParsedText {
  source: ConfigSource;
  /** Plain JSON: objects, arrays, strings, numbers, booleans and null. */
  tree: Record<string, unknown>;
  diagnostics: Diagnostic[];
}

/** Reads YAML 1.2 (so JSON too) into plain values, and remembers where each one stands. Never throws. */
export function parseText(file: string, text: string, surroundings: Surroundings): ParsedText {
  const source = new ConfigSource(file, text);
  const masked = mask(text);
  const restore = masked === text ? (scalar: string) => scalar : unmask;
  const diagnostics: Diagnostic[] = [];
  try {
    const document = parseDocument(masked, {
      prettyErrors: false,
      schema: "core",
      uniqueKeys: false,
    });
    const problems = [...document.errors, ...document.warnings];
    // The parser repeats itself for every level that a fault leaves open.
    const distinct = new Map(
      problems.map((problem) => [`${problem.pos[0]} ${problem.code}`, problem]),
    );
    for (const problem of distinct.values()) {
      diagnostics.push(syntaxDiagnostic(source, problem, restore));
    }
    // What a parser makes of broken text says nothing about the settings.
    if (document.errors.length > 0) return { source, tree: {}, diagnostics };
    const root = document.contents;
    if (root === null || (isScalar(root) && root.value === null)) {
      return { source, tree: {}, diagnostics };
    }
    if (!isMap(root)) {
      const message = `Cannot read configuration: expected "key: value" settings, found ${
        kindOf(root)
      }`;
      diagnostics.push(source.diagnosticAt(rangeOf(root), message));
      return { source, tree: {}, diagnostics };
    }
    const tree = new Builder(source, surroundings, restore, diagnostics).build(root, [], {});
    return { source, tree: tree as Record<string, unknown>, diagnostics };
  } catch (error) {
    const message = error instanceof LimitError
      ? error.message
      : error instanceof RangeError
      ? "Cannot read configuration: values are nested too deeply"
      : `Cannot read configuration: ${(error as Error).message}`;
    const range = error instanceof LimitError ? error.range : [0, 0] as const;
    return { source, tree: {}, diagnostics: [...diagnostics, source.diagnosticAt(range, message)] };
  }
}

class LimitError extends Error {
  constructor(message: string, readonly range: Range) {
    super(message);
  }
}

class Builder {
  readonly #source: ConfigSource;
  readonly #surroundings: Surroundings;
  readonly #restore: (text: string) => string;
  readonly #diagnostics: Diagnostic[];
  readonly #anchors = new Map<string, Node>();
  #values = 0;

  constructor(
    source: ConfigSource,
    surroundings: Surroundings,
    restore: (text: string) => string,
    diagnostics: Diagnostic[],
  ) {
    this.#source = source;
    this.#surroundings = surroundings;
    this.#restore = restore;
    this.#diagnostics = diagnostics;
  }

  /** @param key where the key in front of the node stands */
  build(node: Node | null, path: Path, { key }: { key?: Range }): unknown {
    const range = node?.range ? rangeOf(node) : key ?? [0, 0];
    if (++this.#values > MAX_VALUES) {
      throw new LimitError(
        `Cannot read configuration: more than ${MAX_VALUES} values, aliases counted each time`,
        range,
      );
    }
    if (path.length > MAX_DEPTH) {
      throw new LimitError(
        `Cannot read configuration: values are nested more than ${MAX_DEPTH} deep`,
        range,
      );
    }
    this.#source.record(path, { ...(key ? { key } : {}), value: range });
    if (node === null) return null;
    if (isAlias(node)) return this.#alias(node, path, key);
    if ("anchor" in node && typeof node.anchor === "string") this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#map(node, path);
    if (isSeq(node)) {
      return node.items.map((item, index) => this.build(item as Node, [...path, index], {}));
    }
    return isScalar(node) ? this.#scalar(node.value, path) : null;
  }

  #alias(node: Alias, path: Path, key: Range | undefined): unknown {
    const target = this.#anchors.get(node.source);
    if (target !== undefined) return this.build(target, path, key ? { key } : {});
    return this.#fault(path, `Unknown alias "*${node.source}" in ${formatPath(path)}`, {
      suggestion: didYouMean(node.source, this.#anchors.keys()),
    });
  }

  #map(node: YAMLMap, path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const lines = new Map<string, number>();
    for (const { key, value } of node.items) {
      const range = rangeOf(key as Node);
      const name = isScalar(key) && key.value !== null
        ? this.#restore(String(key.value))
        : undefined;
      const problem = this.#keyProblem(name, path, lines);
      if (name === undefined || problem !== undefined) {
        this.#diagnostics.push(this.#source.diagnosticAt(range, problem ?? ""));
        continue;
      }
      lines.set(name, this.#source.lineOf(range[0]));
      result[name] = this.build(value as Node | null, [...path, name], { key: range });
    }
    return result;
  }

  #keyProblem(
    name: string | undefined,
    path: Path,
    lines: Map<string, number>,
  ): string | undefined {
    const where = path.length === 0 ? "" : ` in ${formatPath(path)}`;
    if (name === undefined) return `Cannot read key${where}: a key is a plain name`;
    if (name === "<<") {
      return `Cannot use merge key "<<"${where}: not supported, write the keys out`;
    }
    if (name === "__proto__") return `Cannot use key "__proto__"${where}: the name is reserved`;
    const line = lines.get(name);
    return line === undefined
      ? undefined
      : `Duplicate key "${name}"${where}: first given on line ${line}`;
  }

  #scalar(value: unknown, path: Path): unknown {
    if (typeof value === "string") return this.#text(this.#restore(value), path);
    if (value === null || typeof value === "boolean") return value;
    const where = `Cannot read ${formatPath(path)}`;
    if (typeof value !== "number" || !Number.isFinite(value)) {
      return this.#fault(path, `${where}: expected text, a finite number, true or false`);
    }
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      return this.#fault(
        path,
        `${where}: whole numbers beyond 2^53 lose digits; quote it to keep it as text`,
      );
    }
    return value;
  }

  #text(text: string, path: Path): string {
    const { value, inserted, errors, warnings } = interpolate(text, this.#surroundings);
    if (inserted) this.#source.record(path, { ...this.#source.place(path), loose: true });
    for (const message of warnings) {
      this.#diagnostics.push(this.#source.diagnostic(path, message, { severity: "warning" }));
    }
    for (const message of errors) this.#fault(path, message);
    return value;
  }

  #fault(path: Path, message: string, options: { suggestion?: string | undefined } = {}): null {
    this.#diagnostics.push(this.#source.diagnostic(path, message, options));
    this.#source.record(path, { ...this.#source.place(path), faulty: true });
    return null;
  }
}

function rangeOf(node: Node | null): Range {
  return node?.range ? [node.range[0], Math.max(node.range[0], node.range[1])] : [0, 0];
}

function kindOf(node: Node): string {
  return isSeq(node) ? "a list" : isAlias(node) ? "an alias" : "a single value";
}

/** The parser's codes for which a better text than its own is known. */
const MESSAGES: Readonly<Record<string, { message: string; suggestion: string }>> = {
  TAB_AS_INDENT: { message: "Cannot indent with a tab", suggestion: "use spaces" },
  MULTIPLE_DOCS: {
    message: "Cannot read a second document: a configuration is one",
    suggestion: 'remove what starts at this "---"',
  },
  TAG_RESOLVE_FAILED: { message: "Cannot use a YAML tag here", suggestion: "remove the !tag" },
};

function syntaxDiagnostic(
  source: ConfigSource,
  problem: YAMLError,
  restore: (text: string) => string,
): Diagnostic {
  const known = MESSAGES[problem.code];
  const text = restore(problem.message.split("\n")[0] ?? "").replace(/\.$/, "")
    .replace("Maximum call stack size exceeded", "values are nested too deeply");
  const minor = problem.name === "YAMLWarning" && known === undefined;
  return source.diagnosticAt(problem.pos, known?.message ?? `Cannot read YAML: ${text}`, {
    suggestion: known?.suggestion,
    severity: minor ? "warning" : "error",
  });
}
