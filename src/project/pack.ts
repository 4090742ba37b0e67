import { Buffer } from "node:buffer";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import type { BuiltPlugin } from "./build.ts";
import { listFiles, sha256, writeAtomic } from "./files.ts";

/** An archive that was written. */
export interface Packed {
  path: string;
  /** In bytes. */
  size: number;
  /** Of the archive, in hex. */
  sha256: string;
  /** Paths in the archive. */
  files: string[];
}

/**
 * Writes `<name>-<version>-<target>.tar.gz` with the plugin's folder to `outDir`. The same plugin gives the same bytes: files are
 * sorted, owned by nobody and of the build time that the manifest states.
 */
export async function packPlugin(
  { manifestPath, manifest }: BuiltPlugin,
  outDir: string,
): Promise<Packed> {
  const { name, version, target, build } = manifest as Record<string, string> & {
    build: { build_time?: string };
  };
  const folder = dirname(manifestPath);
  const mtime = new Date(build.build_time ?? 0);
  const owner = { mtime, uid: 0, gid: 0, uname: "", gname: "" };
  const entries = [{
    header: { name: `${name}/`, type: "directory" as const, size: 0, mode: 0o755, ...owner },
  }];
  const paths = await listFiles(folder);
  const tar = await packTar([
    ...entries,
    ...await Promise.all(paths.map(async (path) => {
      const body = await Deno.readFile(path);
      const mode = basename(path) === "manifest.json" ? 0o644 : 0o755;
      const header = { name: `${name}/${path.slice(folder.length + 1)}`, size: body.length, mode };
      return { header: { ...header, type: "file" as const, ...owner }, body };
    })),
  ]);
  const bytes = gzipSync(Buffer.from(tar), { level: 9 });
  const path = join(outDir, `${name}-${version}-${target}.tar.gz`);
  await writeAtomic(path, bytes);
  return {
    path,
    size: bytes.length,
    sha256: sha256(bytes),
    files: paths.map((path) => `${name}/${path.slice(folder.length + 1)}`),
  };
}
