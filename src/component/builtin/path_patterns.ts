import { join } from "node:path";

const SPECIAL = /[*?[]/;

/** The paths that match, in order, each once. In a part of a path `*`, `?` and `[...]` stand for characters; others for themselves. */
export function matchingPaths(patterns: readonly string[]): string[] {
  return [...new Set(patterns.flatMap((pattern) => pathsOf(pattern)))].sort();
}

/** @throws Error for a pattern that nothing can match */
export function checkPattern(pattern: string): void {
  for (const part of pattern.split("/")) if (SPECIAL.test(part)) expressionOf(part);
}

/** The folders in which what matches the patterns lies. */
export function foldersOf(patterns: readonly string[]): string[] {
  const parents = patterns.map((pattern) => pattern.slice(0, pattern.lastIndexOf("/") + 1) || ".");
  return [...new Set(parents.flatMap((pattern) => pathsOf(pattern.replace(/(.)\/$/, "$1"))))];
}

/** The names in a folder; none where it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

function pathsOf(pattern: string): string[] {
  if (!SPECIAL.test(pattern)) return exists(pattern) ? [pattern] : [];
  let found = [pattern.startsWith("/") ? "/" : ""];
  for (const part of pattern.split("/").filter((part) => part !== "")) {
    if (!SPECIAL.test(part)) {
      found = found.map((base) => join(base, part));
      continue;
    }
    const wanted = expressionOf(part);
    found = found.flatMap((base) =>
      namesIn(base === "" ? "." : base)
        .filter((name) => wanted.test(name) && (part.startsWith(".") || !name.startsWith(".")))
        .map((name) => join(base, name))
    );
  }
  return found.filter(exists);
}

function expressionOf(part: string): RegExp {
  const text = part.replace(/\[(!?)([^\]]+)\]|[\\^$.|+(){}\[\]]|\*|\?/g, (match, not, set) => {
    if (match === "*") return ".*";
    if (match === "?") return ".";
    if (set === undefined) return `\\${match}`;
    return `[${not ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
  });
  try {
    return new RegExp(`^${text}$`, "s");
  } catch (cause) {
    throw new Error(`Cannot use "${part}" in a path: a range in [...] goes from low to high`, {
      cause,
    });
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
