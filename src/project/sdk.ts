import { dirname, join } from "node:path";
import { ProjectError } from "./errors.ts";
import { statOrNothing } from "./files.ts";

/** The version of the contract that a project is compiled with. */
export interface Abi {
  /** "MAJOR.MINOR". */
  version: string;
  minor: number;
  /** 64 hex digits. */
  hash: string;
}

/**
 * The folder with the SDKs (`include/`, `rust/`, `go/`) that the project in `folder` is built with: its own `busbar/`, else the
 * `ffi/` of the repository it lies in.
 *
 * @throws {ProjectError} where there is neither
 */
export async function findSdk(folder: string): Promise<string> {
  const own = join(folder, "busbar");
  if (await statOrNothing(headerOf(own))) return own;
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const sdk = join(at, "ffi");
    if (await statOrNothing(headerOf(sdk))) return sdk;
  }
  throw new ProjectError(
    `Cannot find the SDK of the project in "${folder}": it has no "busbar/include/busbar.h"; copy the folder "busbar" from a ` +
      'project that "busbar plugin new" has made',
  );
}

/**
 * Reads which version of the contract the header of an SDK holds.
 *
 * @throws {ProjectError} where the header does not say it
 */
export async function readAbi(sdk: string): Promise<Abi> {
  const path = headerOf(sdk);
  const text = await Deno.readTextFile(path);
  const major = /^#define BUSBAR_ABI_MAJOR (\d+)$/m.exec(text)?.[1];
  const minor = /^#define BUSBAR_ABI_MINOR (\d+)$/m.exec(text)?.[1];
  const hash = /^#define BUSBAR_ABI_HASH "([0-9a-f]{64})"$/m.exec(text)?.[1];
  if (major === undefined || minor === undefined || hash === undefined) {
    throw new ProjectError(
      `Cannot read the ABI's version and hash from "${path}": it is not busbar's`,
    );
  }
  return { version: `${major}.${minor}`, minor: Number(minor), hash };
}

function headerOf(sdk: string): string {
  return join(sdk, "include/busbar.h");
}
