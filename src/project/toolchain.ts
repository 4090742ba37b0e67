import { basename, join } from "node:path";
import { commandExists, run, sha256, statOrNothing } from "./files.ts";

/** A language that a C compiler compiles. */
export type CLanguage = "c" | "cpp";

/** A language that plugins can be written in. */
export type Language = CLanguage | "rust" | "go";

export const LANGUAGES: readonly Language[] = ["c", "cpp", "rust", "go"];

export const IS_MAC = Deno.build.os === "darwin";

/** What a shared library's file name ends with here. */
export const LIBRARY_SUFFIX = IS_MAC ? ".dylib" : ".so";

/** Flags that say what code is made; they stand in a manifest's `build_flags`. */
export const CODE_FLAGS = ["-O2", "-fPIC", "-fvisibility=hidden"];

/** Those of a build for a debugger. */
export const DEBUG_CODE_FLAGS = ["-O0", "-g", "-fPIC", "-fvisibility=hidden"];

/** Flags for linking: all symbols bound at load, no executable stack, the same bytes from the same sources. */
export const LINK_FLAGS = IS_MAC
  ? ["-dynamiclib"]
  : ["-shared", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,--build-id=none"];

/** The C or C++ compiler: `$CC` or gcc, `$CXX` or g++. */
export function compilerOf(language: CLanguage): string {
  return language === "c" ? Deno.env.get("CC") || "gcc" : Deno.env.get("CXX") || "g++";
}

/** The programs that compile a language, and how to get them. */
function toolsOf(language: Language): { version: string[]; needed: string[]; advice: string } {
  switch (language) {
    case "c":
    case "cpp": {
      const compiler = compilerOf(language);
      const name = language === "c" ? "gcc" : "g++";
      const advice = compiler === name
        ? `install the package ${name} (apt-get install ${name})`
        : `$${language === "c" ? "CC" : "CXX"} names it: install it, or unset the variable`;
      return { version: [compiler, "--version"], needed: [compiler], advice };
    }
    case "rust": {
      const rustc = Deno.env.get("RUSTC") || "rustc";
      const advice = "install Rust from https://rustup.rs (or apt-get install cargo rustc)";
      return { version: [rustc, "--version"], needed: ["cargo", rustc], advice };
    }
    case "go": {
      const advice =
        "install Go from https://go.dev/dl and a C compiler (or apt-get install golang-go gcc)";
      return { version: ["go", "version"], needed: ["go", compilerOf("c")], advice };
    }
  }
}

/** What is not installed of what a language needs, with how to get it; `undefined` where all is there. */
export async function missingCompiler(
  language: Language,
): Promise<{ program: string; advice: string } | undefined> {
  const { needed, advice } = toolsOf(language);
  for (const program of needed) {
    if (!await commandExists(program)) return { program, advice };
  }
  return undefined;
}

/**
 * First line of what the compiler says its version is, or `undefined` where it is not installed. `folder` matters where a project
 * chooses its toolchain by a file.
 */
export async function toolchainVersion(
  language: Language,
  folder?: string,
): Promise<string | undefined> {
  if (await missingCompiler(language)) return undefined;
  const { version } = toolsOf(language);
  return (await run(version, folder === undefined ? {} : { cwd: folder })).split("\n")[0]!;
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
 * `package@version` where Debian's package database knows it, else under its file name. `searched` are the folders of `-L`.
 */
export async function dependencyHashes(
  language: CLanguage,
  libs: string[],
  searched: string[] = [],
): Promise<Record<string, string>> {
  const names = [...libs, "c", ...(language === "cpp" ? ["stdc++"] : [])];
  const hashes: Record<string, string> = {};
  for (const name of new Set(names)) {
    const path = await systemLibrary(name, { compiler: compilerOf(language), searched });
    if (path) hashes[await nameWithVersion(path)] = sha256(await Deno.readFile(path));
  }
  return Object.fromEntries(Object.entries(hashes).sort());
}

async function systemLibrary(
  name: string,
  { compiler, searched }: { compiler: string; searched: string[] },
): Promise<string | undefined> {
  // libc.so is a linker script that names libc.so.6.
  const file = name === "c" && !IS_MAC ? "libc.so.6" : `lib${name}${LIBRARY_SUFFIX}`;
  for (const folder of searched) {
    if (await statOrNothing(join(folder, file))) return await Deno.realPath(join(folder, file));
  }
  const path = await run([compiler, `-print-file-name=${file}`]);
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
