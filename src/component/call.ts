/** Calls of services and hooks, and of sources that are given events: `busbar_call_t` in TypeScript. */
import type { CallName as TableCall } from "../../ffi/recorder_layout.ts";

/** A header's name, in lower case, and its value. */
export type HeaderPair = [name: string, value: string];

/** Headers that one request or answer may have. */
export const MAX_HEADERS = 256;

/** What can be called from outside; "receive" gives events to a source, and exists in TypeScript only. */
export type CallName =
  | Extract<TableCall, "execute" | "before_request" | "handle" | "after_response">
  | "receive";

/** The answer to a request. */
export interface CallAnswer {
  /** HTTP status; 0 means 200. */
  status: number;
  headers: HeaderPair[];
  body: Uint8Array;
}

/** One request. */
export interface Call {
  id: number;
  call: CallName;
  /** Milliseconds since 1970: nobody waits for the answer after it. */
  deadline: number;
  /** Bytes of an answer's body, at most. */
  maxOutput: number;
  method: string;
  path: string;
  /** Without the question mark. */
  query: string;
  headers: HeaderPair[];
  body: Uint8Array;
  /** For `after_response`. */
  answer?: CallAnswer;
}

/** What a hook has changed of a request. */
export interface CallChanges {
  method?: string;
  path?: string;
  query?: string;
  headers?: HeaderPair[];
}

/** What came of a call. */
export interface CallMade {
  /** As the component returned it; see `Status`. */
  status: number;
  /** For a status that is an error. */
  message: string;
  answer: CallAnswer;
  changes: CallChanges;
  /** The request's new body, where a hook changed it. */
  body?: Uint8Array;
}
