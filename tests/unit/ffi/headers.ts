/** Reads what the C headers declare, as far as the tests of the TypeScript layouts need it. */
import { join } from "node:path";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { compilerOf } from "../../../src/project/toolchain.ts";

export const HEADERS = {
  abi: join(PROJECT, "ffi/include/busbar.h"),
  recorder: join(PROJECT, "ffi/shim/recorder.h"),
  shim: join(PROJECT, "ffi/shim/shim.h"),
};

export function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, " ").replace(/\/\/[^\n]*/g, "");
}

/** Names of the members of every struct with a body, by the struct's C name. */
export function structsOf(source: string): Map<string, string[]> {
  const text = withoutComments(source).replace(/^[ \t]*#[^\n]*(\\\n[^\n]*)*$/gm, "");
  const structs = new Map<string, string[]>();
  for (const match of text.matchAll(/(typedef\s+)?struct\s+(\w+)\s*\{/g)) {
    let depth = 1;
    let at = match.index + match[0].length;
    let body = "";
    for (; depth > 0; at++) {
      if (text[at] === "{") depth++;
      else if (text[at] === "}") depth--;
      else if (depth === 1) body += text[at];
    }
    const alias = /^\s*(\w+)\s*;/.exec(text.slice(at))?.[1];
    const name = match[1] ? alias! : `struct ${match[2]}`;
    structs.set(name, body.split(";").map((member) => member.trim()).filter(Boolean).map(nameOf));
  }
  return structs;
}

function nameOf(declaration: string): string {
  const name = /\(\s*\*\s*(\w+)\s*(?:\[[^\]]*\]\s*)?\)\s*\(/.exec(declaration)?.[1] ??
    /(\w+)\s*(\[[^\]]*\]\s*)?$/.exec(declaration)?.[1];
  if (name === undefined) throw new Error(`No member is declared by "${declaration}"`);
  return name;
}

/** Names of the macros that are numbers. */
export function numbersOf(source: string): string[] {
  return [...withoutComments(source).matchAll(/^#define (\w+) +-?(?:0x)?[0-9a-f]+u? *$/gm)]
    .map(([, name]) => name!);
}

/** Compiles a C program that includes all headers and prints each of these expressions; the printed numbers in order. */
export async function evaluate(expressions: readonly string[]): Promise<number[]> {
  const folder = await Deno.makeTempDir();
  try {
    const source = join(folder, "print.c");
    const program = join(folder, "print");
    await Deno.writeTextFile(
      source,
      `#include <stdio.h>\n#include "shim.h"\nint main(void) {\n${
        expressions.map((expression) => `  printf("%lld\\n", (long long)(${expression}));`).join(
          "\n",
        )
      }\n  return 0;\n}\n`,
    );
    await run([
      compilerOf("c"),
      ...["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O0"],
      ...["-I", join(PROJECT, "ffi/include"), "-I", join(PROJECT, "ffi/shim")],
      ...[source, "-o", program],
    ]);
    return (await run([program])).trim().split("\n").map(Number);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a command; its output, or an error with what it complained about. */
export async function run([command, ...args]: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command!, { args }).output();
  if (!success) throw new Error(`${command} failed:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
