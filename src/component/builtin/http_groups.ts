import type { Batch } from "../../event/batch.ts";
import { EventView } from "../../expression/event_view.ts";
import type { Expression } from "../../expression/expression.ts";
import type { BodyPart, BodyParts } from "./http_bodies.ts";

/** Neighbouring events that go into one request. */
export interface Group {
  /** Index of the first one in its batch. */
  first: number;
  url: string;
  headers: [name: string, value: string][];
  parts: BodyPart[];
}

/** What goes into a request. */
export interface GroupRules {
  url: string | Expression<string>;
  headers: readonly [name: string, value: string | Expression<string>][];
  parts: BodyParts;
  maxEvents: number;
  maxBytes: number;
}

/** An event that cannot be sent. */
export class EventError extends Error {
  readonly index: number;

  constructor(index: number, message: string) {
    super(message);
    this.index = index;
  }
}

/** The groups of a batch, one after the other. Throws EventError at an event that none can be made of. */
export function* groupsOf(
  batch: Batch,
  { rules, sources }: { rules: GroupRules; sources: readonly string[] },
): Generator<Group, void> {
  const view = new EventView(sources).open(batch);
  let group: Group | undefined;
  let bytes = 0;
  let fault: EventError | undefined;
  while (view.next()) {
    const index = view.reader.index;
    let url: string;
    let headers: Group["headers"];
    let part: BodyPart;
    try {
      url = valueOf(rules.url, view);
      if (url !== group?.url) checkUrl(url);
      headers = rules.headers.map((
        [name, value],
      ) => [name, headerValue(name, valueOf(value, view))]);
      part = rules.parts.partOf(view);
    } catch (error) {
      fault = new EventError(index, (error as Error).message);
      break;
    }
    const fits = group !== undefined && group.parts.length < rules.maxEvents &&
      bytes + part.bytes.length <= rules.maxBytes && group.url === url &&
      group.headers.every(([, value], i) => value === headers[i]![1]);
    if (!fits) {
      if (group !== undefined) yield group;
      group = { first: index, url, headers, parts: [] };
      bytes = 0;
    }
    group!.parts.push(part);
    bytes += part.bytes.length + 1;
  }
  if (group !== undefined) yield group;
  if (fault !== undefined) throw fault;
  const { malformed, index } = view.reader;
  if (malformed !== "") throw new EventError(index + 1, malformed);
}

function valueOf(value: string | Expression<string>, view: EventView): string {
  return typeof value === "string" ? value : value.evaluate(view);
}

/** @throws Error, which does not show it, for a URL that events cannot be sent to */
export function checkUrl(url: string): void {
  const { protocol = "", username = "", password = "" } = URL.parse(url) ?? {};
  if (!/^https?:$/.test(protocol)) throw new Error("The URL is none of http or https");
  try {
    decodeURIComponent(username + password);
  } catch {
    throw new Error("The URL has a user or a password that is not encoded as URLs are");
  }
}

/** The value. @throws Error, which does not show it, for one that no header can have */
export function headerValue(name: string, value: string): string {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value.trim())) {
    throw new Error(`The value of header "${name}" has characters that none can have`);
  }
  return value;
}
