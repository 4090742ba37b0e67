import { basename } from "node:path";
import { commandExists, run, sha256 } from "./files.ts";

/** A language that plugins can be written in and this build can compile. */
export type Language = "c" | "cpp";

const IS_MAC = Deno.build.os === "darwin";

/** What a shared library's file name ends with here. */
export const LIBRARY_SUFFIX = IS_MAC ? ".dylib" : ".so";

/** Flags that say what code is made; they stand in a manifest's `build_flags`. */
export const CODE_FLAGS = ["-O2", "-fPIC", "-fvisibility=hidden"];

/** Flags for linking: all symbols bound at load, no executable stack, the same bytes from the same sources. */
export const LINK_FLAGS = IS_MAC
  ? ["-dynamiclib"]
  : ["-shared", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,--build-id=none"];

/** The C or C++ compiler: `$CC` or gcc, `$CXX` or g++. */
export function compilerOf(language: Language): string {
  return language === "c" ? Deno.env.get("CC") || "gcc" : Deno.env.get("CXX") || "g++";
}

/** First line of the compiler's `--version`, or `undefined` where it is not installed. */
export async function toolchainVersion(language: Language): Promise<string | undefined> {
  const compiler = compilerOf(language);
  if (!await commandExists(compiler)) return undefined;
  return (await run([compiler, "--version"])).split("\n")[0]!;
}

/**
 * The Rust-style triple for what a C compiler prints with `-dumpmachine`, e.g. "x86_64-unknown-linux-gnu" for
 * "x86_64-linux-gnu" and "x86_64-redhat-linux".
 *
 * @throws {Error} for a system that plugins cannot be built for
 */
export function normaliseTarget(machine: string): string {
  const parts = machine.split("-");
  const arch = parts[0] === "arm64" ? "aarch64" : parts[0];
  const rest = parts.slice(1).join("-");
  if (rest.includes("darwin")) return `${arch}-apple-darwin`;
  if (rest.endsWith("linux-musl")) return `${arch}-unknown-linux-musl`;
  if (rest.endsWith("linux-gnu") || rest.endsWith("linux")) return `${arch}-unknown-linux-gnu`;
  throw new Error(
    `Cannot build plugins: the C compiler's target "${machine}" is not known, use one for Linux or macOS`,
  );
}

/** The triple that the C compiler makes code for. */
export async function compilerTarget(): Promise<string> {
  return normaliseTarget(await run([compilerOf("c"), "-dumpmachine"]));
}

/**
 * SHA-256 of each system library that a plugin is linked with, besides `libs` the C library and C++'s, under
 * `package@version` where Debian's package database knows it, else under its file name.
 */
export async function dependencyHashes(
  language: Language,
  libs: string[],
): Promise<Record<string, string>> {
  const names = [...libs, "c", ...(language === "cpp" ? ["stdc++"] : [])];
  const hashes: Record<string, string> = {};
  for (const name of new Set(names)) {
    const path = await systemLibrary(language, name);
    if (path) hashes[await nameWithVersion(path)] = sha256(await Deno.readFile(path));
  }
  return Object.fromEntries(Object.entries(hashes).sort());
}

async function systemLibrary(language: Language, name: string): Promise<string | undefined> {
  // libc.so is a linker script that names libc.so.6.
  const file = name === "c" && !IS_MAC ? "libc.so.6" : `lib${name}${LIBRARY_SUFFIX}`;
  const path = await run([compilerOf(language), `-print-file-name=${file}`]);
  return path.includes("/") ? await Deno.realPath(path) : undefined;
}

async function nameWithVersion(path: string): Promise<string> {
  if (!await commandExists("dpkg-query")) return basename(path);
  // On a system with merged /usr the database may know the file by its older path.
  for (const known of [path, path.replace(/^\/usr\//, "/")]) {
    const owner = await run(["dpkg-query", "-S", known]).catch(() => undefined);
    if (!owner) continue;
    const owning = owner.split("\n")[0]!.split(": ")[0]!;
    const version = await run(["dpkg-query", "-W", "-f=${Version}", owning]);
    return `${owning.split(":")[0]}@${version}`;
  }
  return basename(path);
}
