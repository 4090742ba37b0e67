import { join } from "node:path";
import { hashFiles, listFiles, run } from "./files.ts";
import type { Compilation } from "./c_build.ts";
import type { GoProject, JsonObject } from "./project.ts";
import { EXPORT_MAP } from "./manifest_source.ts";
import { compilerOf, dependencyHashes, IS_MAC, toolchainVersion } from "./toolchain.ts";

/** What could change the bytes of a library is set here, whatever the author's environment says. */
function environment(debug: boolean): Record<string, string> {
  return {
    GO111MODULE: "on",
    GOWORK: "off",
    GOFLAGS: "",
    GOTOOLCHAIN: "local",
    CGO_ENABLED: "1",
    CGO_CFLAGS: debug ? "-O0 -g" : "-O2",
    CGO_CPPFLAGS: "",
    CGO_CXXFLAGS: "",
    CGO_LDFLAGS: "",
  };
}

function linkerFlags(debug: boolean): string {
  return debug ? "-buildid=" : "-s -w -buildid=";
}

function flags(debug: boolean): string[] {
  const shared = ["-buildmode=c-shared", "-trimpath", "-buildvcs=false"];
  return debug ? [...shared, "-gcflags=all=-N -l"] : shared;
}

/** What the manifest says of how a project in Go is built, without toolchain and time. */
export async function goBuildFacts(
  project: GoProject,
  { debug }: Compilation,
): Promise<JsonObject> {
  const options = { cwd: project.folder, env: environment(debug) };
  const facts = JSON.parse(
    await run(["go", "env", "-json", "GOOS", "GOARCH", "GOAMD64", "GOARM64"], options),
  ) as Record<string, string>;
  const level = facts.GOARCH === "amd64" ? "GOAMD64" : "GOARM64";
  return {
    build_flags: [
      ...flags(debug),
      `-ldflags=${linkerFlags(debug)}`,
      ...["GOOS", "GOARCH", level].map((name) => `${name}=${facts[name]}`),
      `CC=${await toolchainVersion("c")}`,
    ],
    dependency_hashes: await moduleHashes(project, options),
  };
}

/** Compiles the project with `source`, the C file that embeds the manifest; the path of the library. */
export async function compileGo(
  { folder }: GoProject,
  options: Compilation & { source: string },
): Promise<string> {
  const { temporary, debug, source } = options;
  const generated: [string, string][] = [
    ["busbar_manifest.c", source],
    // Go compiles C only beside a file that imports "C".
    ["busbar_manifest.go", 'package main\n\nimport "C"\n'],
  ];
  const overlay: Record<string, string> = {};
  for (const [name, text] of generated) {
    await Deno.writeTextFile(join(temporary, name), text);
    overlay[join(folder, name)] = join(temporary, name);
  }
  await Deno.writeTextFile(join(temporary, "overlay.json"), JSON.stringify({ Replace: overlay }));
  const map = join(temporary, "exports.map");
  await Deno.writeTextFile(map, EXPORT_MAP);
  const external = `-Wl,--version-script=${map} -Wl,-z,now -Wl,-z,noexecstack -Wl,--build-id=none`;
  const library = join(temporary, "library.so");
  await run([
    ...["go", "build", ...flags(debug), "-overlay", join(temporary, "overlay.json")],
    `-ldflags=${linkerFlags(debug)}${IS_MAC ? "" : ` -extldflags '${external}'`}`,
    ...["-o", library, "."],
  ], { cwd: folder, env: { ...environment(debug), CC: compilerOf("c") } });
  return library;
}

/** Hashes of the modules that are linked: what go.sum says, as hex; a module in a folder by its files. */
async function moduleHashes(
  { folder }: GoProject,
  options: { cwd: string; env: Record<string, string> },
): Promise<Record<string, string>> {
  const list = await run(["go", "list", "-deps", "-json=Module", "."], options);
  const hashes: Record<string, string> = await dependencyHashes("c", []);
  const sums = await Deno.readTextFile(join(folder, "go.sum")).catch(() => "");
  for (const { Module: module } of parseObjects(list)) {
    if (module === undefined || module.Main) continue;
    const { Path: path, Version: version } = module.Replace ?? module;
    if (version !== undefined) {
      const line = sums.split("\n").find((line) => line.startsWith(`${path} ${version} h1:`));
      if (line) hashes[`${path}@${version}`] = hex(line.slice(line.indexOf("h1:") + 3));
    } else {
      const root = module.Replace?.Dir ?? module.Dir ?? path;
      const files = (await listFiles(root)).filter((file) => !file.endsWith("_test.go"));
      hashes[`${module.Path}@${module.Version ?? "0.0.0"}`] = await hashFiles(root, files);
    }
  }
  return Object.fromEntries(Object.entries(hashes).sort());
}

interface GoModule {
  Path: string;
  Version?: string;
  Main?: boolean;
  Dir?: string;
  Replace?: GoModule;
}

/** The JSON objects that `go list -json` prints one after the other. */
function parseObjects(text: string): { Module?: GoModule }[] {
  return text.split(/^(?=\{)/m).filter((part) => part.trim() !== "").map((part) =>
    JSON.parse(part)
  );
}

function hex(base64: string): string {
  return Array.from(atob(base64), (char) => char.charCodeAt(0).toString(16).padStart(2, "0"))
    .join("");
}
