import { RecordFlag } from "../../../ffi/layout.ts";
import type { Batch } from "../../event/batch.ts";
import { append, type EventInit } from "../../event/writer.ts";

const FIRST_SIZE = 256 * 1024;
const LEAST_ROOM = 64 * 1024;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** How lines become events. */
export interface CutOptions {
  /** Longer lines are cut to so many bytes and flagged. */
  maxLine: number;
  /** Whether empty lines are left out. */
  skipEmpty: boolean;
  /** What all events have; the payload is set. */
  event: EventInit;
}

/**
 * Bytes that come in pieces of any length, and go out as events, one for each line, without its end. Only what follows the last
 * whole line is kept, in one piece of memory, which grows up to about the longest line.
 */
export class LineCutter {
  /** What all events have. */
  readonly event: EventInit;
  /** Lines that were cut, so far. */
  truncated = 0;
  readonly #maxLine: number;
  readonly #skipEmpty: boolean;
  #bytes = new Uint8Array(FIRST_SIZE);
  #from = 0;
  #to = 0;
  /** Up to here there is no line end behind `#from`. */
  #searched = 0;
  /** Bytes before `#from` since the last {@linkcode LineCutter.begin}. */
  #passed = 0;
  #skipping = false;

  constructor({ maxLine, skipEmpty, event }: CutOptions) {
    this.#maxLine = maxLine;
    this.#skipEmpty = skipEmpty;
    this.event = event;
  }

  /** Forgets what it has and begins anew, with the rest of a line that is left out when `withinLine`. */
  begin(withinLine: boolean): void {
    this.#from =
      this.#to =
      this.#searched =
      this.#passed =
        0;
    this.#skipping = withinLine;
  }

  /** Bytes that have become events, or were left out, since {@linkcode LineCutter.begin}. */
  get passed(): number {
    return this.#passed;
  }

  /** Whether what follows those bytes is the rest of a line that is left out. */
  get withinLine(): boolean {
    return this.#skipping;
  }

  /** What has not become events yet. Valid until more is added. */
  get rest(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#from, this.#to);
  }

  /**
   * Memory to put more bytes into, at least `least`; {@linkcode LineCutter.added} says how many. Undefined where lines have to be cut
   * first, unless it has to `grow`.
   */
  room({ least = LEAST_ROOM, grow = false } = {}): Uint8Array<ArrayBuffer> | undefined {
    const rest = this.#to - this.#from;
    if (rest === 0) this.#move(this.#bytes);
    const { length } = this.#bytes;
    if (length - this.#to < least) {
      // To copy less than is gained by it.
      if (rest <= length / 2 && rest + least <= length) this.#move(this.#bytes);
      else if (grow || this.#searched === this.#to) this.#move(new Uint8Array(2 * (rest + least)));
      else return undefined;
    }
    return this.#bytes.subarray(this.#to);
  }

  added(length: number): void {
    this.#to += length;
  }

  /** Appends whole lines as long as they fit, until so many bytes have {@linkcode LineCutter.passed}; false when one did not fit. */
  cut(batch: Batch, until = Infinity): boolean {
    const window = this.#bytes.subarray(0, this.#to);
    const event = this.event;
    for (;;) {
      const from = this.#from;
      const end = window.indexOf(LINE_FEED, this.#searched);
      if (end < 0) return this.#noEnd(batch);
      if (!this.#skipping) {
        let stop = end > from && window[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
        const cut = stop - from > this.#maxLine;
        if (cut) stop = from + this.#maxLine;
        if (stop > from || !this.#skipEmpty) {
          event.payload = window.subarray(from, stop);
          event.flags = cut ? RecordFlag.TRUNCATED : 0;
          if (!append(batch, event)) {
            this.#searched = end;
            return false;
          }
          if (cut) this.truncated++;
        }
      }
      this.#skipping = false;
      this.#pass(end + 1);
      if (this.#passed >= until) return true;
    }
  }

  /** Appends what follows the last line end, as the last line; false when it did not fit. */
  cutLast(batch: Batch): boolean {
    if (this.#from < this.#to && !this.#skipping) {
      const cut = this.#to - this.#from > this.#maxLine;
      this.event.payload = this.rest.subarray(0, this.#maxLine);
      this.event.flags = cut ? RecordFlag.TRUNCATED : 0;
      if (!append(batch, this.event)) return false;
      if (cut) this.truncated++;
    }
    this.#skipping = false;
    this.#pass(this.#to);
    return true;
  }

  /** Appends all there is as events of at most `most` bytes, whatever is in it; false when one did not fit. */
  cutAnywhere(batch: Batch, most: number): boolean {
    while (this.#from < this.#to) {
      const end = Math.min(this.#from + most, this.#to);
      this.event.payload = this.#bytes.subarray(this.#from, end);
      this.event.flags = 0;
      if (!append(batch, this.event)) return false;
      this.#pass(end);
    }
    return true;
  }

  /** No line ends in what there is: all of it is kept, unless the line is too long already. */
  #noEnd(batch: Batch): boolean {
    this.#searched = this.#to;
    if (this.#skipping) this.#pass(this.#to);
    // The byte more may be the carriage return of a line that is just short enough.
    if (this.#to - this.#from <= this.#maxLine + 1) return true;
    this.event.payload = this.#bytes.subarray(this.#from, this.#from + this.#maxLine);
    this.event.flags = RecordFlag.TRUNCATED;
    if (!append(batch, this.event)) return false;
    this.truncated++;
    this.#skipping = true;
    this.#pass(this.#to);
    return true;
  }

  #pass(end: number): void {
    this.#passed += end - this.#from;
    this.#from = this.#searched = end;
  }

  #move(to: Uint8Array<ArrayBuffer>): void {
    if (to === this.#bytes) to.copyWithin(0, this.#from, this.#to);
    else to.set(this.rest);
    this.#bytes = to;
    this.#searched -= this.#from;
    this.#to -= this.#from;
    this.#from = 0;
  }
}
