/** What a file of config tests says, read and checked, and what came of it. */
import type { Expression } from "../expression/expression.ts";
import type { Path } from "../config/source.ts";

/** An event that a test gives to a component. */
export interface GivenEvent {
  /** In base64, as the key. */
  payload: string;
  key: string;
  attributes: [name: string, value: string][];
  operation: number;
  contentType: number;
  /** Nanoseconds since 1970, in digits; absent: the test's time. */
  timestamp?: string;
  /** Id of the source that it stems from; absent: the first of the pipeline, or the one it is given at. */
  source?: string;
  sequence?: number;
}

/** One thing after the other. */
export type Action =
  | { do: "input"; at: string; events: GivenEvent[]; path: Path }
  | { do: "advance"; ms: number }
  | { do: "end" }
  | { do: "expect"; expected: Expectation[]; letters: LetterExpectation | undefined; path: Path };

/** What an event must be like; what is absent may be anything. */
export interface EventPattern {
  path: Path;
  /** The whole payload as text. */
  text?: string;
  /** The whole payload in base64. */
  base64?: string;
  /** The whole payload as JSON. */
  json?: { value: unknown };
  /** Of a JSON payload: these fields and what they hold, whatever else there is. */
  subset?: { value: unknown };
  regex?: RegExp;
  cel?: Expression<boolean>;
  key?: string;
  /** null: there must be none of that name. */
  attributes?: [name: string, value: string | null][];
  operation?: string;
  source?: string;
  sequence?: number;
  /** Milliseconds since 1970. */
  timestamp?: number;
  marked?: boolean;
}

/** How the events at one place are compared. */
export interface EventsExpectation {
  path: Path;
  /** Absent: only the number counts, or what each must be like. */
  events?: EventPattern[];
  order: "exact" | "any";
  /** Others may be there, too. */
  others: boolean;
  count?: { least: number; most: number };
  each?: EventPattern;
}

export interface Expectation extends EventsExpectation {
  /** As it is written: a component, or one output of it. */
  at: string;
}

export interface LetterPattern extends EventPattern {
  component?: string;
  code?: string;
  error?: string | RegExp;
}

export interface LetterExpectation extends EventsExpectation {
  events?: LetterPattern[];
}

export interface TestCase {
  name: string;
  path: Path;
  /** Absent: the only one there is. */
  pipeline?: string;
  /** Where its clock starts, in milliseconds since 1970. */
  startsAt: number;
  actions: Action[];
}

/** An event as it came out. */
export interface SeenEvent {
  /** In base64, as the key. */
  payload: string;
  key: string;
  attributes: [name: string, value: string][];
  operation: string;
  contentType: string;
  source: string;
  sequence: number;
  /** Nanoseconds since 1970, in digits. */
  timestamp: string;
  marked: boolean;
}

export interface SeenLetter extends SeenEvent {
  component: string;
  code: string;
  error: string;
}

/** What went on during one action. */
export interface Seen {
  /** By place. */
  events: Record<string, SeenEvent[]>;
  letters: SeenLetter[];
}

/** One expectation that was not met, or one thing that went wrong. */
export interface Mismatch {
  /** `file:line` of the expectation. */
  place: string;
  message: string;
  /** One line each; what begins with "-" was expected, with "+" is there. */
  details: string[];
}

export interface Outcome {
  file: string;
  name: string;
  line: number;
  passed: boolean;
  mismatches: Mismatch[];
  /** What components and the pipeline logged as a warning or worse, and what native code printed. */
  notes: string[];
  seconds: number;
}
