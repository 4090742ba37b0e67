/** Blanks, a name and, perhaps, a value with or without quotes. */
const PAIR = /\s*([^\s="]+)(?:=(?:"((?:[^"\\]|\\[^])*)"|(?!")(\S*)))?(?=\s|$)/y;
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|([^]))/g;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/** The pairs of a line such as `level=info msg="it works" fast`; a name alone is true, and of one name the last counts. */
export function logfmtPairs(text: string): Record<string, string | boolean> {
  const pairs = Object.create(null) as Record<string, string | boolean>;
  const line = text.trimEnd();
  for (let at = 0; at < line.length;) {
    PAIR.lastIndex = at;
    const match = PAIR.exec(line);
    if (match === null) throw new Error(`Cannot read logfmt at character ${at + 1}`);
    const [, name, quoted, bare] = match;
    pairs[name!] = quoted === undefined ? bare ?? true : unescaped(quoted);
    at = PAIR.lastIndex;
  }
  return pairs;
}

function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(
    ESCAPE,
    (_, code: string | undefined, letter: string) =>
      code === undefined
        ? ESCAPES[letter] ?? letter
        : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
