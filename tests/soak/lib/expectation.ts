/** What the verifier is told of a run, in `expect.json` beside the raw files; it is written before the run begins. */
export interface Expectation {
  /** By the name that stands in a source's events. */
  sources: Record<string, SourceKind>;
  /** By name: `durable.<name>.log` has what it made durable. */
  sinks: Record<string, SinkExpectation>;
  /** Folder of gzip segments, each event once; relative to the raw files. */
  archive: { folder: string; sources: string[] };
  /** `sink` has a line for each window of `size` numbers of these sources. */
  windows: { sink: string; size: number; sources: string[] };
}

/**
 * `replayable`: `emitted.<name>.log` has every number that was handed out, and all of them must arrive. `acknowledged`:
 * `sent.<name>.log` has what may arrive, `acknowledged.<name>.log` ranges of what must.
 */
export type SourceKind = "replayable" | "acknowledged";

/** What may be asked of a sink's file. */
export interface SinkExpectation {
  sources: string[];
  /** Whether numbers of a source come in order, apart from those that come again. */
  ordered: boolean;
}

/** What the verifier found. */
export interface Verdict {
  /** Events that the sources gave. */
  events: number;
  /** Events that did not arrive, summed over sinks. */
  lost: number;
  /** Events that came twice where each must come once, or that nobody gave. */
  duplicates: number;
  /** Events that came after a later one, or under another sequence. */
  reordered: number;
  /** The first few of each kind, for people. */
  problems: string[];
}
