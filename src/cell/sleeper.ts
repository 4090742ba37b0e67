import { SharedLayout } from "../../ffi/recorder_layout.ts";
import { loadShim } from "../../ffi/shim.ts";

const SLEEPING = SharedLayout.offset.sleeping >> 2;

/** Lets the cell sleep until a plugin's thread, a message or a time wakes it. */
export class Sleeper {
  readonly #words: Uint32Array;
  /** Waits for plugins' wakes, off the event loop; kept over several sleeps when something else ended them. */
  #native: Promise<unknown> | null = null;
  #wake: (() => void) | null = null;
  #interrupted = false;

  constructor() {
    const shared = loadShim().bb_shared()!;
    this.#words = new Uint32Array(
      Deno.UnsafePointerView.getArrayBuffer(shared, SharedLayout.size),
      0,
      2,
    );
  }

  /** Ends the sleep, or the next one at once. From the event loop only. */
  interrupt(): void {
    this.#interrupted = true;
    this.#wake?.();
  }

  /** Sleeps at most `ms`. `busy` is asked once more when a wake can no longer be missed. */
  async sleep(ms: number, busy: () => boolean): Promise<void> {
    Atomics.store(this.#words, SLEEPING, 1);
    if (!this.#interrupted && !busy()) {
      this.#native ??= loadShim().bb_wait(-1).finally(() => {
        this.#native = null;
        this.#wake?.();
      });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    Atomics.store(this.#words, SLEEPING, 0);
    this.#interrupted = false;
  }

  /** Ends the wait off the event loop, so that the process can end. */
  close(): void {
    Atomics.store(this.#words, SLEEPING, 1);
    loadShim().bb_interrupt();
  }
}
