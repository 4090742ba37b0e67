/** Finds out why a cell ended, and whose fault it is. */
import type { CallName } from "../../ffi/recorder_layout.ts";
import type { ComponentPlace } from "./cell_plan.ts";
import type { CellPlugin } from "./protocol.ts";
import type { ComponentFailure } from "../pipeline/spec.ts";
import type { CrashRecord, RecorderReader } from "./recorder_reader.ts";

/** Why the host killed a cell. */
export interface KillReason {
  reason: "hang" | "limit" | "unresponsive" | "protocol" | "stop_timeout";
  message: string;
  /** Number of the component at fault, where one is. */
  component?: number;
}

/** How a cell ended that was not told to, as the API shows it. */
export interface LastExit {
  /** Name of the signal that ended it, or null. */
  signal: string | null;
  /** Exit code; 128 + the signal's number after a signal; null when the process could not be started. */
  code: number | null;
  reason: "crash" | "exit" | "killed" | "fatal" | "spawn" | KillReason["reason"];
  /** Name and version of the plugin at fault; null when none is, or nobody knows. */
  culprit: string | null;
  /** What the cell was doing: pipeline and id of a component that was inside a call. Not always the culprit's. */
  pipeline: string | null;
  component: string | null;
  call: CallName | "load" | null;
  /** Of the first event that the call was about; 0: none. */
  sequence: number | null;
  thread: number | null;
  /** ISO 8601. */
  at: string;
  message: string;
}

/** What is known of a cell that ended. */
export interface EndedCell {
  status: { code: number; signal: string | null };
  at: Date;
  reader: RecorderReader;
  places: ComponentPlace[];
  plugins: CellPlugin[];
  /** Why the host killed it, if it did. */
  killed?: KillReason | undefined;
  /** What the cell said before it ended itself. */
  failure?: ComponentFailure | undefined;
}

/** Why there is no process to blame anything on. */
export function spawnFailure(error: Error, at: Date): LastExit {
  return {
    signal: null,
    code: null,
    reason: "spawn",
    culprit: null,
    pipeline: null,
    component: null,
    call: null,
    sequence: null,
    thread: null,
    at: at.toISOString(),
    message: `cell cannot be started: ${error.message}`,
  };
}

/** Number of the place whose call ended the cell, where that is known. */
export function deadlyPlace(cell: EndedCell): number | undefined {
  const { killed, reader, status, places } = cell;
  if (killed !== undefined) return killed.component;
  const crash = reader.crash();
  if (crash?.kind === "signal" && explains(crash, status.signal)) {
    if (crash.sender === 0 && crash.component !== undefined) return crash.component;
  } else if (crash?.component !== undefined) return crash.component;
  const inside = places.flatMap((_, i) => reader.calls(i) % 2n === 1n ? [i] : []);
  return inside.length === 1 ? inside[0] : undefined;
}

type Verdict = Pick<LastExit, "reason" | "culprit" | "message"> & {
  context?: number | undefined;
  thread?: number;
};

const SIGNAL_NAMES: Record<number, string> = {
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  11: "SIGSEGV",
};

/** The shim keeps this much of a library's path, from its end. */
const LIBRARY_PATH_KEPT = 239;

/** Lays the blame. */
export function blame(cell: EndedCell): LastExit {
  const { status, at, failure } = cell;
  const verdict = judge(cell);
  const place = verdict.context === undefined ? undefined : cell.places[verdict.context];
  const reading = verdict.context === undefined ? undefined : cell.reader.component(
    verdict.context,
  );
  return {
    signal: status.signal,
    code: status.code,
    reason: verdict.reason,
    culprit: verdict.culprit,
    pipeline: place?.pipeline.id ?? failure?.pipeline ?? null,
    component: place?.component.id ?? failure?.component ?? null,
    call: (reading?.call || failure?.call) ?? null,
    sequence: reading?.sequence ?? null,
    thread: verdict.thread ?? null,
    at: at.toISOString(),
    message: verdict.message,
  };
}

function judge(cell: EndedCell): Verdict {
  const { status, failure, killed } = cell;
  // One that said why it ends, and takes its time, is killed because it closed its connection.
  const isSaid = failure !== undefined && killed?.reason === "protocol";
  if (killed !== undefined && !isSaid) return judgeKilled(cell, killed);
  if (failure !== undefined) {
    // Not every failure is a plugin's: it may be that of the disk.
    const culprit = failure.plugin === "" ? null : pluginTitle(cell, failure.plugin);
    const where = failure.component === "" ? "" : ` of ${failure.pipeline}.${failure.component}`;
    const message = `${subject(culprit)} failed in ${failure.call}${where}: ${failure.message}`;
    return { reason: "fatal", culprit, message };
  }
  const crash = cell.reader.crash();
  if (crash?.kind === "exit" && status.signal === null) return judgeExit(cell, crash);
  if (crash?.kind === "signal" && explains(crash, status.signal)) return judgeCrash(cell, crash);
  return judgeUnrecorded(cell);
}

function judgeKilled(cell: EndedCell, { reason, message, component }: KillReason): Verdict {
  const context = component ?? insideCall(cell);
  if (component !== undefined) {
    const culprit = titleOf(cell, component);
    return {
      reason,
      culprit,
      context,
      message: `plugin ${culprit}: ${message}${during(cell, component)}`,
    };
  }
  // What is used up belongs to the whole process: only a plugin that is alone in it is surely the culprit.
  const [only, ...others] = cell.plugins;
  const culprit = reason === "limit" && only !== undefined && others.length === 0
    ? pluginTitle(cell, only.manifest.name)
    : null;
  const subject = culprit === null ? "" : `plugin ${culprit}: `;
  return { reason, culprit, context, message: subject + message + during(cell, context) };
}

function judgeExit(cell: EndedCell, crash: CrashRecord): Verdict {
  const context = crash.component ?? insideCall(cell);
  const culprit = libraryPlugin(cell, crash.library) ?? titleOf(cell, crash.component);
  const call = context === undefined ? "" : ` in ${callOf(cell, context)}`;
  const message = `${subject(culprit)} called exit(${cell.status.code})${call}`;
  return { reason: "exit", culprit, context, thread: crash.thread, message };
}

function judgeCrash(cell: EndedCell, crash: CrashRecord): Verdict {
  const { thread, sender } = crash;
  const context = crash.component ?? insideCall(cell);
  const signal = cell.status.signal ?? signalName(crash);
  const where = `, thread ${thread}${during(cell, context)}`;
  if (sender !== 0) {
    const message = `cell was killed by ${signal} sent by pid ${sender}${during(cell, context)}`;
    return { reason: "killed", culprit: null, context, thread, message };
  }
  const culprit = libraryPlugin(cell, crash.library) ?? titleOf(cell, crash.component);
  const outside = culprit === null ? ` outside of plugins, address 0x${hex(crash.address)}` : "";
  const message = `${subject(culprit)} crashed${outside}, ${signal}${where}`;
  return { reason: "crash", culprit, context, thread, message };
}

/** Nothing was noted: it went too fast, as with SIGKILL or _exit(). */
function judgeUnrecorded(cell: EndedCell): Verdict {
  const { code, signal } = cell.status;
  const context = insideCall(cell);
  const culprit = titleOf(cell, context);
  if (signal === "SIGKILL") {
    const by = culprit === null ? "" : `by plugin ${culprit}, `;
    const message = `cell was killed by SIGKILL (${by}from outside, or by the kernel's OOM killer)`;
    return { reason: "killed", culprit, context, message: message + during(cell, context) };
  }
  if (signal !== null) {
    const message = `${subject(culprit)} ended by ${signal}${during(cell, context)}`;
    return { reason: "killed", culprit, context, message };
  }
  const message = context === undefined
    ? `cell ended with code ${code}, though nobody told it to`
    : `${subject(culprit)} ended the process with code ${code} in ${callOf(cell, context)}`;
  return { reason: "exit", culprit, context, message };
}

/** A fault that a runtime survived, or turned into its own abort, may be noted as well. */
function explains(crash: CrashRecord, signal: string | null): boolean {
  return signal === null || signal === signalName(crash) || signal === "SIGABRT";
}

function signalName({ signal }: CrashRecord): string {
  return SIGNAL_NAMES[signal] ?? `signal ${signal}`;
}

function insideCall({ reader, places }: EndedCell): number | undefined {
  const index = places.findIndex((_, i) => reader.calls(i) % 2n === 1n);
  return index < 0 ? undefined : index;
}

function libraryPlugin(cell: EndedCell, path: string | undefined): string | null {
  if (path === undefined) return null;
  const plugin = cell.plugins.find(({ directory, library }) =>
    path.startsWith(`${directory}/`) || path === library ||
    (path.length >= LIBRARY_PATH_KEPT && library.endsWith(path))
  );
  return plugin === undefined ? null : title(plugin);
}

function titleOf(cell: EndedCell, component: number | undefined): string | null {
  const place = component === undefined ? undefined : cell.places[component];
  return place === undefined ? null : pluginTitle(cell, place.component.plugin);
}

function pluginTitle({ plugins }: EndedCell, name: string): string {
  const plugin = plugins.find(({ manifest }) => manifest.name === name);
  return plugin === undefined ? name : title(plugin);
}

function title({ manifest }: CellPlugin): string {
  return `${manifest.name} ${manifest.version}`;
}

function subject(culprit: string | null): string {
  return culprit === null ? "cell" : `plugin ${culprit}`;
}

function hex(value: bigint): string {
  return value.toString(16);
}

function callOf(cell: EndedCell, index: number): string {
  return `${cell.reader.component(index).call} of ${placeTitle(cell.places[index]!)}`;
}

function during(cell: EndedCell, index: number | undefined): string {
  return index === undefined ? "" : `, while ${phrase(cell, index)}`;
}

function phrase(cell: EndedCell, index: number): string {
  const { call, sequence } = cell.reader.component(index);
  const at = sequence === 0 ? "" : `, sequence ${sequence}`;
  return `${placeTitle(cell.places[index]!)} was in ${call}${at}`;
}

function placeTitle({ component }: ComponentPlace): string {
  return `${component.kind} ${component.id}.${component.component}`;
}
