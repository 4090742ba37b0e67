/** `path` as people write it: `$.components[0].kind`. */
export function jsonPath(path: readonly PropertyKey[]): string {
  return "$" + path.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("");
}

const TOKEN = /"(?:[^"\\]+|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/gs;

/**
 * The line, counted from 1, on which the value at `path` begins in the valid JSON `text`. Where nothing is at `path`
 * (a missing key), it is the line of the closest value around it.
 */
export function lineOf(text: string, path: readonly PropertyKey[]): number {
  const open: { key: string | number | undefined }[] = [];
  let best = 0;
  let bestLevel = 0;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const parent = open.at(-1);
    if (token === ":") continue;
    if (token === ",") {
      if (parent) parent.key = typeof parent.key === "number" ? parent.key + 1 : undefined;
    } else if (token === "]" || token === "}") {
      open.pop();
    } else if (parent && parent.key === undefined) {
      parent.key = JSON.parse(token) as string;
    } else {
      const level = open.length;
      if (
        level >= bestLevel && level <= path.length && open.every(({ key }, at) => key === path[at])
      ) {
        best = index;
        bestLevel = level;
      }
      if (token === "[") open.push({ key: 0 });
      if (token === "{") open.push({ key: undefined });
    }
  }
  return text.slice(0, best).split("\n").length;
}
