/** What the process of a test is told, and what it says. */
import type { CellPlugin } from "../cell/protocol.ts";
import type { CellPipeline, ComponentFailure } from "../pipeline/spec.ts";
import type { GivenEvent, Seen } from "./model.ts";

/** Files in the folder of a case. */
export const REQUEST_FILE = "request.json";
export const RESULT_FILE = "result.json";

/** The component that gives events to the processor or reaction `id` alone. */
export function injectorOf(id: string): string {
  return `input:${id}`;
}

/** The component that notes what comes out of the output of a processor. */
export function tapOf(place: string): string {
  return `tap:${place}`;
}

export interface TestRequest {
  recorder: { path: string; size: number };
  /** With injectors and taps; its sources and reactions are stand-ins. */
  pipeline: CellPipeline;
  plugins: Record<string, CellPlugin>;
  preload: string[];
  /** Ids of the sources of the pipeline as it is configured, by their numbers. */
  sources: string[];
  /** By the id of a reaction, or of a tap: the place that is looked at. */
  places: Record<string, string>;
  startsAt: number;
  steps: RequestStep[];
}

export type RequestStep =
  /** `by`: the source or injector. */
  | { do: "input"; by: string; source: string; events: GivenEvent[] }
  | { do: "advance"; ms: number }
  | { do: "end" };

export interface TestResult {
  /** What was seen, one for each step that was made. */
  steps: Seen[];
  notes: string[];
  /** How long it took, in real time. */
  seconds: number;
  failure?: ComponentFailure;
}
