/** What goes into the C file that gives a library its manifest and its ABI hash. */
export interface EmbeddedData {
  /** Text of the manifest; left out where `undefined`. */
  manifest: string | undefined;
  abiHash: string | undefined;
}

/** The linker's version script that hides all else: Go's runtime, and what the C++ library's templates leave. */
export const EXPORT_MAP =
  "{ global: busbar_abi_hash; busbar_manifest; busbar_plugin; local: *; };\n";

/** The C file that exports what can be read of a plugin without running it. It includes nothing. */
export function manifestSource({ manifest, abiHash }: EmbeddedData): string {
  const lines = ['#define EXPORT __attribute__((visibility("default")))'];
  if (manifest !== undefined) {
    lines.push(`EXPORT const char busbar_manifest[] =\n${cString(manifest)};`);
  }
  if (abiHash !== undefined) {
    lines.push(`EXPORT const char busbar_abi_hash[65] = ${cString(abiHash)};`);
  }
  return lines.join("\n") + "\n";
}

/** The text's UTF-8 bytes as C string literals, one a line. */
function cString(text: string): string {
  const escaped = (line: string) =>
    Array.from(new TextEncoder().encode(line), (byte) => {
      const char = String.fromCharCode(byte);
      // "?" too, or a pair of them could begin a trigraph.
      if (byte < 32 || byte > 126 || '"\\?'.includes(char)) {
        return "\\" + byte.toString(8).padStart(3, "0");
      }
      return char;
    }).join("");
  return text.split(/(?<=\n)/).map((line) => `  "${escaped(line)}"`).join("\n") || '""';
}
