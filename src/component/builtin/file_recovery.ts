import { join } from "node:path";
import type { Acknowledged } from "../component.ts";
import type { JournalEntry } from "./file_journal.ts";

/** A piece of a file that is kept. */
interface Range {
  from: number;
  to: number;
}

interface Found {
  /** Where it is cut; what is kept of the rest is put there. */
  cutAt: number;
  kept: Range[];
  events: number;
}

/** What was done to one file. */
export interface Cut {
  path: string;
  /** Events that were cut out, since they come again. */
  events: number;
  /** Set where nothing was done: why. */
  problem?: string;
}

/**
 * Cuts from files what comes again: events beyond what is acknowledged of their source, and what a crash left behind them. Ends
 * a cut that a crash has interrupted.
 *
 * @param folder where it may keep what it needs for that
 * @throws Error when a file cannot be read or written
 */
export function cutBack(
  entries: readonly JournalEntry[],
  { acknowledged, folder }: { acknowledged: readonly Acknowledged[]; folder: string },
): Cut[] {
  const plan = join(folder, "cut");
  finishCut(plan);
  const known = new Map(acknowledged.map(({ sourceId, sequence }) => [sourceId, sequence]));
  const cuts: Cut[] = [];
  for (const [path, ofFile] of Map.groupBy(entries, (entry) => entry.path)) {
    const size = sizeOf(path);
    // It was moved or deleted, so what is in it can no longer be taken out.
    if (size === undefined) continue;
    const found = findCut(ofFile, known, size);
    if (typeof found === "string") cuts.push({ path, events: 0, problem: found });
    else if (found !== undefined) {
      cutFile(plan, path, { ...found, size });
      cuts.push({ path, events: found.events });
    }
  }
  return cuts;
}

/** What is to be cut from a file; undefined: nothing; text: why nothing can be. */
function findCut(
  entries: readonly JournalEntry[],
  known: ReadonlyMap<string, number>,
  size: number,
): Found | string | undefined {
  const live: JournalEntry[] = [];
  let closed = false;
  for (const entry of entries) {
    // What was written after a failure takes the place of what was noted before it.
    while (live.length > 0 && live.at(-1)!.offset >= entry.offset && !entry.closed) live.pop();
    if (entry.closed !== true) live.push(entry);
    closed = entry.closed === true;
  }
  const first = live[0]?.offset;
  if (first === undefined) return undefined;
  let at = first;
  let cutAt: number | undefined;
  let events = 0;
  const kept: Range[] = [];
  for (const entry of live) {
    // What lies between is somebody else's.
    if (cutAt !== undefined && entry.offset > at) keep(kept, at, entry.offset);
    at = entry.offset;
    let index = 0;
    for (const [source, count, base] of entry.runs) {
      const acknowledged = known.get(source) ?? Infinity;
      for (let i = 0; i < count; i++) {
        const sequence = base + entry.notes[index++]!;
        const to = at + entry.notes[index++]!;
        const comesAgain = sequence > acknowledged;
        if (comesAgain) {
          if (at < size) events++;
          cutAt ??= at;
        } else if (to > size) {
          return "it is shorter than what was acknowledged of it: somebody else has changed it";
        } else if (cutAt !== undefined) keep(kept, at, to);
        at = to;
      }
    }
  }
  if (closed && at < size) {
    // Somebody has added to it since.
    if (cutAt !== undefined) keep(kept, at, size);
    at = size;
  }
  if (cutAt === undefined) return at < size ? { cutAt: at, kept: [], events: 0 } : undefined;
  return cutAt < size ? { cutAt, kept, events } : undefined;
}

function keep(kept: Range[], from: number, to: number): void {
  const last = kept.at(-1);
  if (last?.to === from) last.to = to;
  else kept.push({ from, to });
}

function cutFile(
  plan: string,
  path: string,
  { cutAt, kept, size }: Found & { size: number },
): void {
  if (kept.length === 0) {
    using file = Deno.openSync(path, { write: true });
    file.truncateSync(cutAt);
    file.syncSync();
    return;
  }
  const all = Deno.readFileSync(path);
  const parts = kept.map(({ from, to }) => all.subarray(from, Math.min(to, size)).toBase64());
  // From here on it can be done again and again, until it is done.
  const next = `${plan}.tmp`;
  writeWhole(next, new TextEncoder().encode(JSON.stringify({ path, cutAt, parts })));
  Deno.renameSync(next, plan);
  finishCut(plan);
}

function finishCut(plan: string): void {
  let text: string;
  try {
    text = Deno.readTextFileSync(plan);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  const { path, cutAt, parts } = JSON.parse(text) as {
    path: string;
    cutAt: number;
    parts: string[];
  };
  if (sizeOf(path) !== undefined) {
    using file = Deno.openSync(path, { write: true });
    file.truncateSync(cutAt);
    file.seekSync(cutAt, Deno.SeekMode.Start);
    for (const part of parts) writeAllSync(file, Uint8Array.fromBase64(part));
    file.syncSync();
  }
  Deno.removeSync(plan);
}

function writeWhole(path: string, bytes: Uint8Array<ArrayBuffer>): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  writeAllSync(file, bytes);
  file.syncSync();
}

function writeAllSync(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
