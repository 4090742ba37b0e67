import { join } from "node:path";
import type { BufferRow, DeadLetterInit } from "../../../src/store/pipeline_store.ts";

const PAGE_SIZE = 16_384;

/** Runs the test with the path of a database that is not there yet. */
export async function withPath(test: (path: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(join(folder, "web.db"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function letter(fields: Partial<DeadLetterInit> = {}): DeadLetterInit {
  return {
    component: "archive",
    plugin: "gzip-archive",
    code: "Failed",
    error: "Disk is full",
    attempts: 3,
    source: "access",
    sequence: 17,
    operation: 1,
    contentType: 2,
    timestamp: 1_700_000_000_123_456_789n,
    flags: 5,
    key: bytes("key"),
    payload: bytes("payload"),
    attributes: new Uint8Array(),
    ...fields,
  };
}

/** The events `first` to `last` of a source as a row. */
export function row(first: number, last: number, fields: Partial<BufferRow> = {}): BufferRow {
  return {
    source: "access",
    firstSequence: first,
    lastSequence: last,
    count: last - first + 1,
    data: bytes(`events ${first} to ${last}`),
    position: bytes(`after ${last}`),
    ...fields,
  };
}

/** Changes one byte of a file where `text` first stands in it. */
export function damage(path: string, text: string): void {
  change(path, text, (content, at) => content[at]! ^= 1);
}

/** Breaks both links to the page behind the one that `text` stands in: its own, and the one in SQLite's map of pages. */
export function breakPage(path: string, text: string): void {
  change(path, text, (content, at) => {
    const page = Math.floor(at / PAGE_SIZE);
    content.fill(0xff, page * PAGE_SIZE, page * PAGE_SIZE + 4);
    const entry = PAGE_SIZE + 5 * (page - 1);
    content.fill(0, entry, entry + 5);
  });
}

function change(path: string, text: string, edit: (content: Uint8Array, at: number) => void): void {
  const content = Deno.readFileSync(path);
  const wanted = bytes(text);
  const at = content.findIndex((_, i) => wanted.every((byte, j) => content[i + j] === byte));
  if (at < 0) throw new Error(`"${text}" is not in "${path}"`);
  edit(content, at);
  Deno.writeFileSync(path, content);
}

/** A program of this folder as a process of its own. */
export function program(name: string, ...args: string[]): Deno.Command {
  const path = join(import.meta.dirname!, "programs", name);
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", path, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
}
