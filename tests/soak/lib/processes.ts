/** Pids of the processes that `pid` started and that live. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/children`);
      children.push(...text.split(" ").filter((part) => part !== "").map(Number));
    }
  } catch { /* it, or one of its threads, is gone */ }
  return children;
}

/** Pids of the cells of the host `pid`. */
export async function cellsOf(pid: number): Promise<number[]> {
  const cells: number[] = [];
  for (const child of await childrenOf(pid)) {
    const command = await Deno.readTextFile(`/proc/${child}/cmdline`).catch(() => "");
    if (command.split("\0").includes("__cell")) cells.push(child);
  }
  return cells;
}

/** Sends the signal; whether the process was there to get it. */
export function signal(pid: number, name: Deno.Signal): boolean {
  try {
    Deno.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Resolves after so many ms. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What `work` gives, or undefined when that takes longer than `timeout` ms. */
export async function within<T>(work: Promise<T>, timeout: number): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), timeout);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until `condition` holds; whether it did within `timeout` ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeout: number,
): Promise<boolean> {
  for (const started = performance.now(); performance.now() - started < timeout;) {
    if (await condition()) return true;
    await pause(20);
  }
  return false;
}
