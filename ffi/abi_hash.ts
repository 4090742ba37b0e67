const BEGIN = "/* ==== BUSBAR ABI FROZEN BEGIN ==== */";
const END = "/* ==== BUSBAR ABI FROZEN END ==== */";

/**
 * The declarations between the header's FROZEN markers, as the ABI hash sees them: without comments, line
 * continuations and the white space that C does not need.
 */
export function frozenDeclarations(header: string): string {
  const begin = header.indexOf(BEGIN);
  const end = header.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot compute the ABI hash: the header lacks "${BEGIN}" or "${END}"`);
  }
  return header.slice(begin + BEGIN.length, end)
    .replace(/\\\r?\n/g, " ")
    .replace(/\/\*[\s\S]*?\*\//g, " ")
    .replace(/\/\/[^\n]*/g, " ")
    .split("\n")
    // A preprocessor directive ends with its line, so that end is kept.
    .map((line) => line.trim().startsWith("#") ? `\n${line.trim()}\n` : line)
    .join(" ")
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?([^\w\s]) ?/g, "$1")
    .replace(/\s*\n\s*/g, "\n")
    .trim();
}

/** SHA-256 of {@linkcode frozenDeclarations} in UTF-8, as 64 hex digits: the ABI hash. */
export async function abiHash(header: string): Promise<string> {
  const bytes = new TextEncoder().encode(frozenDeclarations(header));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
