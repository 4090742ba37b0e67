import { z } from "zod";
import { CALL_NUMBER, type CallName } from "../../ffi/recorder_layout.ts";
import { MAX_HEADERS } from "../component/call.ts";
import type { CellMessage } from "./protocol.ts";

const text = z.string().max(64 * 1024);

const headers = z.array(z.tuple([text, text])).max(MAX_HEADERS);

const call = z.union([z.enum(Object.keys(CALL_NUMBER) as [CallName]), z.literal("load")]);

const failure = z.object({
  pipeline: text,
  component: text,
  plugin: text,
  call,
  code: text,
  message: text,
});

const cellMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), pid: z.int(), build: text }),
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("prepared") }),
  z.object({ type: z.literal("paused") }),
  z.object({
    type: z.literal("pipeline"),
    id: text,
    state: z.enum(["running", "completed", "stopped", "failed"]),
    failure: failure.exactOptional(),
  }),
  z.object({ type: z.literal("fatal"), failure }),
  z.object({ type: z.literal("health"), component: z.int().min(0), message: text }),
  z.object({ type: z.literal("output"), text: z.string() }),
  z.object({
    type: z.literal("answer"),
    id: z.int().min(0),
    status: z.int(),
    message: text,
    answerStatus: z.int().min(0).max(0xffff_ffff),
    answerHeaders: headers,
    changes: z.object({
      method: text.exactOptional(),
      path: text.exactOptional(),
      query: text.exactOptional(),
      headers: headers.exactOptional(),
    }),
    newBody: z.boolean(),
    bytes: z.instanceof(Uint8Array).exactOptional(),
  }),
]);

/** A cell's message, checked: what a cell sends may be anything. Undefined for what is none. */
export function parseCellMessage(value: unknown): CellMessage | undefined {
  return cellMessage.safeParse(value).data;
}
