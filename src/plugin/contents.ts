import { createHash } from "node:crypto";
import type { BinaryFacts, BinaryImage, Machine } from "./binary.ts";
import { type ByteSource, FileSource } from "./byte_source.ts";
import type { PluginErrorCode } from "./errors.ts";
import { MAX_MANIFEST_BYTES } from "./manifest.ts";
import { openBinary } from "./open_binary.ts";

/** One reason to refuse a plugin, without the words that say which plugin. */
export interface Fault {
  readonly code: PluginErrorCode;
  readonly reason: string;
}

/** What a library's bytes say, wherever the file lies. */
export interface LibraryContents {
  /** In bytes. */
  readonly size: number;
  /** SHA-256 of the file, in hex. */
  readonly digest: string;
  readonly binary: BinaryFacts;
  /** The 64 hex digits of `busbar_abi_hash`. */
  readonly abiHash: string | undefined;
  /** The bytes of `busbar_manifest` before its NUL. */
  readonly manifest: Uint8Array<ArrayBuffer> | undefined;
  /** What is wrong with the three exports. */
  readonly faults: readonly Fault[];
}

const CHUNK_BYTES = 256 * 1024;
const MAX_KEPT = 256;
const SETTLED_MS = 2000;

/** Keeps what was read of libraries, by machine and digest; a file that did not change since is not even hashed again. */
export class ContentsCache {
  readonly #digests = new Map<string, string>();
  readonly #contents = new Map<string, LibraryContents>();

  /** What the library at `path` says; of a fat file, what its part for `machine` says. Throws a PluginError when it is not a shared library or cannot be read. */
  async read(path: string, machine: Machine = Deno.build.arch): Promise<LibraryContents> {
    using source = await FileSource.open(path);
    const key = `${path}:${machine}:${source.identity}`;
    const seen = this.#contents.get(this.#digests.get(key) ?? "");
    if (seen) return seen;
    const image = await openBinary(source, machine); // before hashing, so that what is no library is refused at once
    const digest = await digestOf(source);
    const name = `${machine}:${digest}`;
    const { size } = source;
    const contents = this.#contents.get(name) ?? await readContents(image, { size, digest });
    keep(this.#contents, name, contents);
    // A file changed this very moment may change again without its times telling.
    if (Date.now() - source.changedAt > SETTLED_MS) keep(this.#digests, key, name);
    return contents;
  }
}

/** SHA-256 of a source's bytes, in hex. */
export async function digestOf(source: ByteSource): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    hash.update(await source.read(at, Math.min(CHUNK_BYTES, source.size - at)));
  }
  return hash.digest("hex");
}

/** Reads the library `image` out of a file of this size and digest. Throws a PluginError `CorruptLibrary` when its tables are wrong. */
export async function readContents(
  image: BinaryImage,
  { size, digest }: { size: number; digest: string },
): Promise<LibraryContents> {
  const binary = await image.facts();
  const hash = await readHash(image, binary);
  const manifest = await readManifest(image, binary);
  const faults = [hash, manifest].flatMap(({ fault }) => fault ?? []);
  const root = binary.exported.find(({ name }) => name === "busbar_plugin");
  if (root?.kind !== "function") {
    faults.push({ code: "MissingSymbol", reason: 'it exports no function "busbar_plugin"' });
  }
  return {
    size,
    digest,
    binary,
    abiHash: hash.value,
    manifest: manifest.value,
    faults,
  };
}

interface Export<T> {
  value?: T;
  fault?: Fault;
}

async function readHash(image: BinaryImage, binary: BinaryFacts): Promise<Export<string>> {
  const name = "busbar_abi_hash";
  const symbol = binary.exported.find((symbol) => symbol.name === name);
  if (!symbol) return { fault: { code: "MissingSymbol", reason: `it exports no "${name}"` } };
  const wrong = `"${name}" is not 64 hex digits and a NUL`;
  if (symbol.size !== 0 && symbol.size !== 65) {
    return { fault: { code: "AbiMismatch", reason: wrong } };
  }
  const bytes = await image.readAt(symbol.address, 65);
  const text = new TextDecoder("latin1").decode(bytes);
  if (!/^[0-9a-f]{64}\0$/.test(text)) return { fault: { code: "AbiMismatch", reason: wrong } };
  return { value: text.slice(0, 64) };
}

async function readManifest(
  image: BinaryImage,
  binary: BinaryFacts,
): Promise<Export<Uint8Array<ArrayBuffer>>> {
  const name = "busbar_manifest";
  const symbol = binary.exported.find((symbol) => symbol.name === name);
  if (!symbol) return { fault: { code: "ManifestNotFound", reason: `it exports no "${name}"` } };
  const limit = MAX_MANIFEST_BYTES + 1;
  if (symbol.size > limit) {
    return {
      fault: {
        code: "InvalidManifest",
        reason: `its manifest is larger than ${MAX_MANIFEST_BYTES} bytes`,
      },
    };
  }
  // Assembly may leave the size out; then the NUL tells where it ends.
  const length = symbol.size || Math.min(limit, image.bytesFrom(symbol.address));
  const bytes = await image.readAt(symbol.address, length);
  const end = bytes.indexOf(0);
  if (end < 0) {
    return { fault: { code: "InvalidManifest", reason: `"${name}" does not end in a NUL` } };
  }
  return { value: bytes.slice(0, end) };
}

/** Keeps `value` as the newest of `map`, and forgets the oldest beyond a fixed number. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_KEPT) break;
    map.delete(oldest);
  }
}
