import { crc32 } from "node:zlib";
import { POSITION_MAX } from "../../../ffi/layout.ts";
import type { FileIdentity } from "./followed_file.ts";

const VERSION = 1;
const HEAD = 16;
const ENTRY = 36;
const WITHIN_LINE = 1;

/** Files that a position has room for. */
export const MOST_FILES = Math.floor((POSITION_MAX - HEAD) / ENTRY);

/** How far one file was read. */
export interface FileMark extends FileIdentity {
  offset: number;
  /** Of the bytes before the offset. */
  mark: number;
  path: number;
  withinLine: boolean;
}

/** Where a source of files resumes. */
export interface FilesPosition {
  /** Whose turn it is, and the bytes it has had of it. */
  turn: number;
  used: number;
  files: FileMark[];
}

/** A path as positions have it. */
export function pathMark(path: string): number {
  return crc32(path);
}

export function encodePosition({ turn, used, files }: FilesPosition): Uint8Array {
  const bytes = new Uint8Array(HEAD + ENTRY * files.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, VERSION, true);
  view.setUint32(4, turn, true);
  view.setFloat64(8, used, true);
  for (const [i, file] of files.entries()) {
    const at = HEAD + i * ENTRY;
    view.setFloat64(at, file.device, true);
    view.setFloat64(at + 8, file.inode, true);
    view.setFloat64(at + 16, file.offset, true);
    view.setUint32(at + 24, file.mark, true);
    view.setUint32(at + 28, file.path, true);
    view.setUint32(at + 32, file.withinLine ? WITHIN_LINE : 0, true);
  }
  return bytes;
}

/** @throws Error when these are no bytes of this version */
export function decodePosition(bytes: Uint8Array): FilesPosition {
  if (bytes.length === 0) return { turn: 0, used: 0, files: [] };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD || (bytes.length - HEAD) % ENTRY !== 0) {
    throw new Error(`Cannot resume: a position of files does not have ${bytes.length} bytes`);
  }
  const version = view.getUint32(0, true);
  if (version !== VERSION) {
    throw new Error(`Cannot resume: the position has version ${version}, not ${VERSION}`);
  }
  const files: FileMark[] = [];
  for (let at = HEAD; at < bytes.length; at += ENTRY) {
    files.push({
      device: view.getFloat64(at, true),
      inode: view.getFloat64(at + 8, true),
      offset: view.getFloat64(at + 16, true),
      mark: view.getUint32(at + 24, true),
      path: view.getUint32(at + 28, true),
      withinLine: view.getUint32(at + 32, true) === WITHIN_LINE,
    });
  }
  return { turn: view.getUint32(4, true), used: view.getFloat64(8, true), files };
}
