import { CompletionLayout, COMPLETIONS, SharedLayout } from "../../ffi/recorder_layout.ts";
import { loadShim } from "../../ffi/shim.ts";
import type { Completion } from "../component/component.ts";

const at = CompletionLayout.offset;
const decoder = new TextDecoder();

/** Ends of PENDING writes, as plugins reported them from any thread. One consumer. */
export class Completions {
  readonly #view: DataView<ArrayBuffer>;
  readonly #turns: Uint32Array;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #tail = 0;

  constructor() {
    const shared = loadShim().bb_shared()!;
    const buffer = Deno.UnsafePointerView.getArrayBuffer(shared, SharedLayout.size);
    const { offset } = SharedLayout;
    this.#view = new DataView(buffer, offset.completions);
    this.#turns = new Uint32Array(buffer, offset.completions);
    this.#bytes = new Uint8Array(buffer, offset.completions);
  }

  /** Whether there is one to take. */
  get ready(): boolean {
    const slot = this.#tail % COMPLETIONS;
    const full = (this.#tail - slot + 1) >>> 0;
    return Atomics.load(this.#turns, (slot * CompletionLayout.size) >> 2) === full;
  }

  /** Hands on all that were reported: the component's number in the recorder, and what it said. */
  drain(take: (index: number, completion: Completion) => void): void {
    while (this.ready) {
      const slot = this.#tail % COMPLETIONS;
      const base = slot * CompletionLayout.size;
      const view = this.#view;
      const length = Math.min(view.getUint32(base + at.message_length, true), 216);
      const from = base + at.message;
      const completion: Completion = {
        batchId: Number(view.getBigUint64(base + at.batch_id, true)),
        status: view.getInt32(base + at.status, true),
        done: view.getUint32(base + at.done, true),
        message: decoder.decode(this.#bytes.slice(from, from + length)),
      };
      const index = view.getUint32(base + at.component, true) - 1;
      const free = this.#tail - slot + COMPLETIONS;
      view.setUint32(base + 4, free / 2 ** 32, true);
      Atomics.store(this.#turns, base >> 2, free >>> 0);
      this.#tail++;
      take(index, completion);
    }
  }
}
