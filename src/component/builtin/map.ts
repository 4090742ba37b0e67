import { ContentType, Operation } from "../../../ffi/layout.ts";
import { blaming } from "../../config/setting_error.ts";
import { withAttributes } from "../../event/attributes.ts";
import type { EventInit } from "../../event/writer.ts";
import type { EventView } from "../../expression/event_view.ts";
import { compileExpression, type Expression } from "../../expression/expression.ts";
import { toJsonText } from "../../expression/json_value.ts";
import { CONVERSIONS } from "../../expression/results.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { Draft, parsePath } from "./draft.ts";
import { changeRecords } from "./record_changer.ts";
import type { OnError } from "./record_sorter.ts";

const encoder = new TextEncoder();
const { convert: textOf } = CONVERSIONS.string;

const OPERATION_NUMBER = {
  message: Operation.MESSAGE,
  insert: Operation.INSERT,
  update: Operation.UPDATE,
  delete: Operation.DELETE,
};

interface Settings {
  payload?: string;
  set?: Record<string, string>;
  remove?: string[];
  content_type?: string;
  key?: string;
  attributes?: Record<string, string>;
  timestamp?: string;
  operation?: string;
  on_error: OnError;
}

/** Makes other events of events; they keep sequence, source and flags. */
export function map(context: BuiltinContext): BuiltinComponent {
  const settings = context.config as unknown as Settings;
  return changeRecords(context, changeOf(settings), {
    onError: settings.on_error,
    errors: "expression_errors_total",
  });
}

map.check = (config: Record<string, unknown>) => changeOf(config as unknown as Settings);

type Change = (view: EventView) => EventInit;

/** What becomes of one event. Every expression sees the event as it came. */
function changeOf(settings: Settings): Change {
  const { key, attributes, timestamp, operation } = settings;
  const payloadOf = payloadChange(settings);
  const keyOf = key === undefined
    ? undefined
    : compileExpression(key, "string", { setting: "key" });
  const timeOf = timestamp === undefined
    ? undefined
    : compileExpression(timestamp, "timestamp", { setting: "timestamp" });
  const operationOf = operation === undefined
    ? undefined
    : compileExpression(operation, "operation", { setting: "operation" });
  const attributesOf = attributes === undefined ? undefined : attributeChange(attributes);
  return (view) => {
    const { reader } = view;
    return {
      ...payloadOf(view),
      key: keyOf === undefined ? reader.key : encoder.encode(keyOf.evaluate(view)),
      timestamp: timeOf === undefined ? reader.timestamp : timeOf.evaluate(view),
      operation: operationOf === undefined
        ? reader.operation
        : OPERATION_NUMBER[operationOf.evaluate(view)],
      attributes: attributesOf === undefined ? reader.rawAttributes : attributesOf(view),
      flags: reader.flags,
    };
  };
}

type Payload = Pick<EventInit, "payload" | "contentType">;

function payloadChange(
  { payload, set, remove, content_type }: Settings,
): (view: EventView) => Payload {
  const wanted = content_type === undefined
    ? undefined
    : ContentType[content_type.toUpperCase() as keyof typeof ContentType];
  if (payload === undefined && set === undefined && remove === undefined) {
    return ({ reader }) => ({
      payload: reader.payload,
      contentType: wanted ?? reader.contentType,
    });
  }
  const whole = payload === undefined
    ? undefined
    : compileExpression(payload, "any", { setting: "payload" });
  const members = Object.entries(set ?? {}).map(([path, text]) => ({
    path: blaming(["set", path], () => parsePath(path)),
    value: compileExpression(text, "any", { setting: `set.${path}` }),
  }));
  const removed = (remove ?? []).map((path, index) =>
    blaming(["remove", index], () => parsePath(path))
  );
  const drafts = members.length > 0 || removed.length > 0;
  return (view) => {
    const value = whole === undefined ? view.payload : whole.evaluate(view);
    if (!drafts) return payloadBytes(value, wanted);
    const draft = new Draft(value);
    // What is removed may be set anew.
    for (const path of removed) draft.remove(path);
    for (const { path, value } of members) draft.set(path, value.evaluate(view));
    return payloadBytes(draft.value, wanted);
  };
}

/** Texts and bytes are payloads as they are, unless JSON is wanted; anything else becomes JSON. */
function payloadBytes(value: unknown, wanted: number | undefined): Payload {
  if (wanted !== ContentType.JSON) {
    if (typeof value === "string") {
      return { payload: encoder.encode(value), contentType: wanted ?? ContentType.TEXT };
    }
    if (value instanceof Uint8Array) {
      return { payload: value, contentType: wanted ?? ContentType.BYTES };
    }
  }
  const text = explained("payload", () => toJsonText(value));
  return { payload: encoder.encode(text), contentType: wanted ?? ContentType.JSON };
}

/** Says which part of the event cannot be made. */
function explained<T>(part: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Error(`Cannot set ${part}: ${(error as Error).message}`);
  }
}

function attributeChange(attributes: Record<string, string>): (view: EventView) => Uint8Array {
  const changes: [string, Expression<unknown>][] = Object.entries(attributes).map(
    ([name, text]) => [name, compileExpression(text, "any", { setting: `attributes.${name}` })],
  );
  return (view) => {
    const values = new Map<string, string | null>();
    for (const [name, expression] of changes) {
      const value = expression.evaluate(view);
      const part = `attributes.${name}`;
      values.set(name, value === null ? null : explained(part, () => textOf(value)));
    }
    return withAttributes(view.reader.rawAttributes, values);
  };
}
