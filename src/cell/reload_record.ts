import { logText } from "../log.ts";
import type { ReloadError } from "./reload_error.ts";

/** Reloads of a cell since the host started. */
export interface ReloadView {
  /** Those that succeeded. */
  count: number;
  /** How long the last one let no event through, in ms. */
  lastGapMs: number | null;
  /** Why the last one failed; null when it succeeded. */
  lastError: string | null;
}

/** Counts a cell's reloads, and logs them. */
export class ReloadRecord {
  readonly #view: ReloadView = { count: 0, lastGapMs: null, lastError: null };

  get view(): Readonly<ReloadView> {
    return this.#view;
  }

  /** `gapMs` is how long no event got through; null when none would have. */
  succeeded(cell: string, gapMs: number | null): void {
    this.#view.count++;
    this.#view.lastGapMs = gapMs;
    this.#view.lastError = null;
    const text = `Cell "${cell}" reloaded${gapMs === null ? "" : `, ${gapMs} ms without events`}`;
    logText(["busbar", "cell"], "info", { text, properties: { cell, gap_ms: gapMs } });
  }

  failed(cell: string, { message, phase }: ReloadError): void {
    this.#view.lastError = message;
    logText(["busbar", "cell"], "error", { text: message, properties: { cell, phase } });
  }
}
