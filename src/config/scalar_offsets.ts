/** Where the characters of a YAML scalar's text stand in the file. */

const SPACE = /\s/;
const ESCAPES: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\x07",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\x1b",
  N: "\x85",
  _: "\xa0",
  L: "\u2028",
  P: "\u2029",
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * For each character of `text` its offset in `raw`, the scalar as the file has it, with quotes or the header of a block;
 * undefined where `text` is not what `raw` says, as when something was put in.
 */
export function scalarOffsets(raw: string, text: string): number[] | undefined {
  const quote = raw[0] === '"' || raw[0] === "'" ? raw[0] : "";
  const block = raw[0] === "|" || raw[0] === ">";
  let at = quote !== "" ? 1 : block ? raw.indexOf("\n") + 1 : 0;
  const offsets: number[] = [];
  for (let i = 0; i < text.length;) {
    // `$${` stands for `${`.
    if (raw.startsWith("$${", at)) at++;
    const { size, value } = quote === '"' && raw[at] === "\\"
      ? escapeAt(raw, at)
      : { size: quote === "'" && raw[at] === "'" ? 2 : 1, value: raw[at] ?? "" };
    if (value !== "" && text.startsWith(value, i)) {
      for (let unit = 0; unit < value.length; unit++) offsets.push(at);
      i += value.length;
      at += size;
    } else if (SPACE.test(text[i]!) && SPACE.test(value)) {
      // Lines are folded: one space or line end of the text for all the space there is.
      offsets.push(at);
      i++;
      at += size;
    } else if (at < raw.length && (value === "" || SPACE.test(value))) {
      at += size;
    } else if (SPACE.test(text[i]!) && at >= raw.length) {
      offsets.push(at);
      i++;
    } else return undefined;
  }
  return offsets;
}

/** What a backslash in double quotes stands for; nothing, for one at the end of a line. */
function escapeAt(raw: string, at: number): { size: number; value: string } {
  const letter = raw[at + 1] ?? "";
  const digits = HEX_DIGITS[letter];
  if (digits !== undefined) {
    const code = parseInt(raw.slice(at + 2, at + 2 + digits), 16);
    return { size: 2 + digits, value: code <= 0x10ffff ? String.fromCodePoint(code) : "" };
  }
  if (letter === "\n" || letter === "\r") return { size: 2, value: "" };
  return { size: 2, value: ESCAPES[letter] ?? letter };
}
