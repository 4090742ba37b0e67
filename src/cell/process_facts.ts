/** What Linux says about a process, from /proc. Each is undefined once the process is gone. */

const AT_PAGESZ = 6n;
const AT_CLKTCK = 17n;

let auxiliary: Map<bigint, bigint> | undefined;

/** Resident memory in bytes. */
export function residentBytes(pid: number): number | undefined {
  const pages = Number(read(`/proc/${pid}/statm`)?.split(" ")[1]);
  return Number.isNaN(pages) ? undefined : pages * systemValue(AT_PAGESZ, 4096);
}

/** How many file descriptors are open. */
export function openDescriptors(pid: number): number | undefined {
  try {
    let count = 0;
    for (const _ of Deno.readDirSync(`/proc/${pid}/fd`)) count++;
    return count;
  } catch {
    return undefined;
  }
}

/** Processor time used by all its threads so far, in seconds. */
export function cpuSeconds(pid: number): number | undefined {
  const fields = statFields(pid);
  const ticks = Number(fields?.[11]) + Number(fields?.[12]);
  return Number.isNaN(ticks) ? undefined : ticks / systemValue(AT_CLKTCK, 100);
}

/** Whether it stands still for a reason that is not its own: SIGSTOP, or a debugger. */
export function isHeld(pid: number): boolean {
  const state = statFields(pid)?.[0];
  if (state === "T" || state === "t") return true;
  const tracer = /^TracerPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return tracer !== undefined && tracer !== "0";
}

/** The fields of /proc/PID/stat from the state on; the name before it may hold anything. */
function statFields(pid: number): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function systemValue(key: bigint, fallback: number): number {
  auxiliary ??= readAuxiliary();
  return Number(auxiliary.get(key) ?? fallback);
}

function readAuxiliary(): Map<bigint, bigint> {
  try {
    const bytes = Deno.readFileSync("/proc/self/auxv");
    const words = new BigUint64Array(bytes.buffer, 0, Math.floor(bytes.length / 8));
    const values = new Map<bigint, bigint>();
    for (let i = 0; i + 1 < words.length; i += 2) values.set(words[i]!, words[i + 1]!);
    return values;
  } catch {
    return new Map();
  }
}
