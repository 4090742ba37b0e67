import { z } from "zod";
import { CALL_NUMBER, type CallName } from "../../ffi/recorder_layout.ts";
import type { CellMessage } from "./protocol.ts";

const text = z.string().max(64 * 1024);

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
]);

/** A cell's message, checked: what a cell sends may be anything. Undefined for what is none. */
export function parseCellMessage(value: unknown): CellMessage | undefined {
  return cellMessage.safeParse(value).data;
}
