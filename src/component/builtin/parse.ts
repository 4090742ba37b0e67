import { ContentType, Operation } from "../../../ffi/layout.ts";
import type { EventInit } from "../../event/writer.ts";
import type { EventView } from "../../expression/event_view.ts";
import { toJsonText } from "../../expression/json_value.ts";
import { parseJson } from "../../expression/payloads.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { Draft } from "./draft.ts";
import { type Parsed, type ParsePlan, planParse } from "./parse_settings.ts";
import { convertFields } from "./parse_types.ts";
import { changeRecords } from "./record_changer.ts";
import { RecordSorter } from "./record_sorter.ts";

const OUT = 0;
const encoder = new TextEncoder();

/** Makes JSON of texts; sequence, source, key, attributes, operation and flags stay. */
export function parse(context: BuiltinContext): BuiltinComponent {
  const plan = planParse(context.config);
  return plan.asItIs && plan.timestamp === undefined
    ? checkOnly(context, plan)
    : changeRecords(context, changeOf(plan, () => context.now()), {
      onError: plan.onError,
      errors: "parse_errors_total",
    });
}

parse.check = planParse;

/** Copies records, of which nothing but the content type changes. */
function checkOnly(context: BuiltinContext, plan: ParsePlan): BuiltinComponent {
  const sorter = new RecordSorter(context, plan.onError, {
    contentType: ContentType.JSON,
    errors: "parse_errors_total",
  });
  const check = (view: EventView) => {
    if (!isDeletion(view)) jsonOf(view, plan);
    return OUT;
  };
  return { process: (batch) => sorter.process(batch, check) };
}

/** What becomes of one event; undefined: nothing. */
function changeOf(
  plan: ParsePlan,
  now: () => number,
): (view: EventView) => EventInit | undefined {
  const { asItIs, field, timestamp, offset, read } = plan;
  return (view) => {
    const { reader } = view;
    const { payload, key, operation, flags, rawAttributes: attributes } = reader;
    const kept = { key, operation, flags, attributes, contentType: ContentType.JSON };
    if (isDeletion(view)) return { ...kept, payload, timestamp: reader.timestamp };
    const text = asItIs ? "" : textOf(view, plan);
    const near = reader.timestamp === 0n ? now() : Number(reader.timestamp / 1_000_000n);
    const clock = { offset, near };
    const parsed = read === undefined && field === undefined
      ? jsonOf(view, plan)
      : read === undefined
      ? { fields: fieldsIn(text) }
      : read(text, clock);
    if (parsed === undefined) return undefined;
    let time = parsed.time;
    if (timestamp !== undefined) {
      const value = parsed.fields[timestamp.field];
      if (value === undefined || value === null) {
        throw new Error(`Cannot tell the time: there is no "${timestamp.field}"`);
      }
      time = timestamp.read(value, clock);
    }
    return {
      ...kept,
      payload: asItIs ? payload : payloadOf(view, { plan, parsed, text }),
      timestamp: time ?? reader.timestamp,
    };
  };
}

/** Whether the event only says that what its key names is gone. */
function isDeletion({ reader }: EventView): boolean {
  return reader.operation === Operation.DELETE && reader.payloadLength === 0;
}

/** The text to parse, without the end of its line, and without a byte order mark. */
function textOf(view: EventView, { field, maxLength }: ParsePlan): string {
  let text: unknown = undefined;
  if (field === undefined) {
    checkLength(view.reader.payloadLength, maxLength);
    text = view.text;
  } else {
    text = view.payload;
    for (const name of field) {
      text = typeof text === "object" && text !== null && Object.hasOwn(text, name)
        ? (text as Record<string, unknown>)[name]
        : undefined;
    }
    if (typeof text !== "string") {
      throw new Error(`Cannot parse "${field.join(".")}": it is no text`);
    }
    checkLength(text.length, maxLength);
  }
  return withoutMarks(text as string);
}

function withoutMarks(text: string): string {
  const from = text.startsWith("\ufeff") ? 1 : 0;
  const end = text.endsWith("\r\n") ? 2 : text.endsWith("\n") ? 1 : 0;
  return text.slice(from, text.length - end);
}

function checkLength(length: number, most: number): void {
  if (length > most) throw new Error(`Cannot parse the text: it is longer than ${most} bytes`);
}

function jsonOf(view: EventView, { maxLength, asItIs }: ParsePlan): Parsed {
  checkLength(view.reader.payloadLength, maxLength);
  const { payload } = view;
  if (typeof payload !== "string") return { fields: objectOf(payload) };
  const fields = fieldsIn(view.text);
  // It would be no JSON for those who come next.
  if (asItIs) throw new Error("Cannot parse the text: it is not UTF-8");
  return { fields };
}

function fieldsIn(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new Error(`Cannot parse the text: ${(error as Error).message}`);
  }
  return objectOf(value);
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error("Cannot parse the text: it is no JSON object");
}

function payloadOf(
  view: EventView,
  { plan, parsed, text }: { plan: ParsePlan; parsed: Parsed; text: string },
): Uint8Array {
  const { field, target, keep, types } = plan;
  let result: unknown = parsed.fields;
  if (types.length > 0) {
    // What came as JSON belongs to the view.
    const fields = plan.read === undefined ? { ...parsed.fields } : parsed.fields;
    convertFields(fields, plan);
    result = fields;
  }
  if (target !== undefined || keep !== undefined) {
    const draft = new Draft(
      target === undefined ? result : field === undefined ? {} : view.payload,
    );
    if (target !== undefined) draft.set(target, result);
    if (keep !== undefined) draft.set(keep, text);
    result = draft.value;
  }
  return encoder.encode(toJsonText(result));
}
