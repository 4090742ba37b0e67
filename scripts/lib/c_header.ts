/** Reads what the C headers of `ffi/include/` declare, with its comments, for the reference. It knows their style, not all of C. */

/** A comment, or a declaration or directive of several lines as one text. */
interface Piece {
  kind: "comment" | "code";
  text: string;
  /** Whether a comment stands behind code, on the line where that ends. */
  trailing: boolean;
  /** Whether an empty line is before it. */
  apart: boolean;
}

export interface Constant {
  name: string;
  value: string;
  text: string;
}

export interface Member {
  name: string;
  type: string;
  text: string;
  /** How it is called, where it is a pointer to a function: result, name and parameters. */
  signature?: string;
}

export type Declaration =
  | { kind: "constants"; constants: Constant[]; text: string }
  | { kind: "struct"; name: string; members: Member[]; text: string }
  | { kind: "function"; name: string; signature: string; text: string };

/** What stands below one of the headlines, `---- Title ----`; "" before the first. */
export interface Section {
  title: string;
  declarations: Declaration[];
}

/** The comment at the top of the header, line by line as it is. */
export function preamble(header: string): string {
  const comment = /^\/\*\n([\s\S]*?)\*\//.exec(header)?.[1] ?? "";
  return comment.split("\n").map((line) => line.replace(/^ \* ?/, "").trimEnd()).join("\n").trim();
}

/** The header's sections, in its order. Names that end with an underscore are the header's own, and left out. */
export function sectionsOf(header: string): Section[] {
  const sections: Section[] = [{ title: "", declarations: [] }];
  const source = header.replace(/#ifdef __cplusplus\n(?:extern "C" \{|\})\n#endif/g, "");
  let text = "";
  let constants: (Declaration & { kind: "constants" }) | undefined;
  for (const piece of piecesOf(source)) {
    const title = /^-{4} (.*?) -+$/.exec(piece.text)?.[1];
    const section = sections.at(-1)!;
    if (title !== undefined) sections.push({ title, declarations: [] });
    if (piece.kind === "comment") {
      if (piece.trailing) addToLast(constants, piece.text);
      else text = title === undefined && !piece.text.startsWith("====") ? piece.text : "";
      if (!piece.trailing) constants = undefined;
      continue;
    }
    if (piece.apart && constants !== undefined) constants = undefined;
    const constant = /^#define (\w+) (.+)$/.exec(piece.text);
    if (constant !== null) {
      if (constants === undefined) {
        section.declarations.push(constants = { kind: "constants", constants: [], text });
      }
      constants.constants.push({ name: constant[1]!, value: constant[2]!, text: "" });
      text = "";
      continue;
    }
    const declaration = declarationOf(piece.text, text);
    if (declaration !== undefined) section.declarations.push(declaration);
    text = "";
  }
  return sections.filter(({ declarations }) => declarations.length > 0);
}

function addToLast(
  constants: (Declaration & { kind: "constants" }) | undefined,
  text: string,
): void {
  const last = constants?.constants.at(-1);
  if (last !== undefined) last.text = joined(last.text, text);
}

function declarationOf(code: string, text: string): Declaration | undefined {
  const struct = /^typedef struct \w+ \{([\s\S]*)\} (\w+)$/.exec(code);
  if (struct !== null) {
    return { kind: "struct", name: struct[2]!, members: membersOf(struct[1]!), text };
  }
  const macro = /^#define (\w+)(\([^)]*\))/.exec(code);
  if (macro !== null) return named(macro[1]!, macro[1]! + macro[2]!, text);
  const pointer = /^typedef (.*?)\(\*(\w+)\)(\(.*\))$/.exec(code);
  if (pointer !== null) {
    return named(pointer[2]!, `${pointer[1]}(*${pointer[2]})${pointer[3]}`, text);
  }
  const inline = /^(?:BUSBAR_PRINTF_\([^)]*\) )?static inline (.*?\b(\w+)\([^{]*\))$/.exec(code);
  return inline === null ? undefined : named(inline[2]!, inline[1]!, text);
}

function named(name: string, signature: string, text: string): Declaration | undefined {
  return name.endsWith("_") ? undefined : { kind: "function", name, signature, text };
}

function membersOf(body: string): Member[] {
  const members: Member[] = [];
  let text = "";
  for (const piece of piecesOf(body)) {
    if (piece.kind === "comment") {
      const last = members.at(-1);
      if (piece.trailing && last !== undefined) last.text = joined(last.text, piece.text);
      else text = piece.text;
      continue;
    }
    const pointer = /^(.*?)\(\*(\w+)\)(\(.*\))$/.exec(piece.text);
    const list = /^(.*?\(\*)(\w+)(\[\d+\]\)\(.*\))$/.exec(piece.text);
    if (pointer !== null) {
      const [, result = "", name = "", parameters = ""] = pointer;
      // Functions without a comment of their own share that of the one before.
      const last = members.at(-1);
      const shared = text === "" && last?.signature !== undefined ? last.text : text;
      members.push({
        name,
        type: "function",
        text: shared,
        signature: `${result}${name}${parameters}`,
      });
    } else if (list !== null) {
      members.push({ name: list[2]!, type: list[1]! + list[3]!, text });
    } else {
      const [, type = "", name = "", size = ""] = /^(.*?)\b(\w+)(\[\d+\])?$/.exec(piece.text) ?? [];
      members.push({ name, type: type.trim() + size, text });
    }
    text = "";
  }
  return members;
}

/** Cuts a header into comments and code: a directive with its continued lines, a declaration up to its `;` or, of a function, `{`. */
function piecesOf(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < source.length) {
    const space = /\s*/y;
    space.lastIndex = at;
    const [blank = ""] = space.exec(source) ?? [];
    at += blank.length;
    if (at >= source.length) break;
    const apart = blank.split("\n").length > 2;
    if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at);
      const trailing = pieces.length > 0 && !blank.includes("\n") && at > 0;
      pieces.push({ kind: "comment", text: plain(source.slice(at + 2, end)), trailing, apart });
      at = end + 2;
      continue;
    }
    const end = source[at] === "#" ? endOfDirective(source, at) : endOfDeclaration(source, at);
    const text = source.slice(at, end);
    const struct = text.startsWith("typedef struct") && text.includes("{");
    pieces.push({
      kind: "code",
      text: struct ? text.trim() : text.replace(/\\?\s+/g, " ").trim(),
      trailing: false,
      apart,
    });
    at = source[end] === ";" ? end + 1 : source[end] === "{" ? endOfBody(source, end) : end;
  }
  return pieces;
}

/** Where its line ends, or a comment on it begins. */
function endOfDirective(source: string, from: number): number {
  const end = /(?<!\\)\n/g;
  end.lastIndex = from;
  const line = end.exec(source)?.index ?? source.length;
  const comment = source.indexOf("/*", from);
  return comment >= 0 && comment < line ? comment : line;
}

function endOfDeclaration(source: string, from: number): number {
  const struct = /^typedef struct \w+ \{/.test(source.slice(from, from + 80));
  const end = struct ? /(?<=\n\} \w+)/g : /[;{]/g;
  end.lastIndex = from;
  if (struct) return source.indexOf(";", source.indexOf("\n}", from));
  return end.exec(source)?.index ?? source.length;
}

function endOfBody(source: string, from: number): number {
  const end = /\n\}|\}\n/g;
  const line = source.indexOf("\n", from);
  // A body on one line, or one that ends with a brace in the first column.
  if (source.slice(from, line).trimEnd().endsWith("}")) return line;
  end.lastIndex = from;
  return source.indexOf("\n}", from) + 2;
}

function plain(comment: string): string {
  return comment.replace(/^\s*\*? ?/gm, "").replace(/\s+/g, " ").trim();
}

function joined(before: string, text: string): string {
  return before === "" ? text : `${before} ${text}`;
}
