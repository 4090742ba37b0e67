/**
 * Reaps orphans, for a host that is process 1 of a container: what a dead cell's plugin had started becomes its child, and
 * would stay a zombie for ever.
 *
 * Deno waits for its own children by their pids, so their statuses must not be taken from it. `waitid` with WNOWAIT shows
 * who is dead without taking anything; only a pid that is not one of the host's own is then waited for. Deno takes its
 * own within moments; while one of them is in front, the look behind it is put off to the next round.
 */
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const SIGINFO_SIZE = 128;
const SI_PID = 16;
const INTERVAL_MS = 1_000;

const SYMBOLS = {
  waitid: {
    parameters: ["i32", /* idtype */ "u32", /* id */ "buffer", /* info */ "i32" /* options */],
    result: "i32",
  },
  waitpid: {
    parameters: ["i32", /* pid */ "buffer", /* status */ "i32" /* options */],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Reaps until it is closed. */
export class OrphanReaper {
  readonly #isOwn: (pid: number) => boolean;
  readonly #libc = Deno.dlopen("libc.so.6", SYMBOLS);
  readonly #timer: number;

  /** `isOwn` says whether Deno waits for a pid. */
  constructor(isOwn: (pid: number) => boolean, intervalMs: number = INTERVAL_MS) {
    this.#isOwn = isOwn;
    this.#timer = setInterval(() => this.reap(), intervalMs);
    Deno.unrefTimer(this.#timer);
  }

  /** One round. Returns how many were reaped. */
  reap(): number {
    let count = 0;
    for (let pid; (pid = this.#nextDead()) !== 0 && !this.#isOwn(pid); count++) {
      if (this.#libc.symbols.waitpid(pid, new Uint8Array(4), WNOHANG) <= 0) break;
    }
    return count;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#libc.close();
  }

  #nextDead(): number {
    const info = new Uint8Array(SIGINFO_SIZE);
    const failed = this.#libc.symbols.waitid(P_ALL, 0, info, WEXITED | WNOHANG | WNOWAIT) !== 0;
    return failed ? 0 : new DataView(info.buffer).getInt32(SI_PID, true);
  }
}
