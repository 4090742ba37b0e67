/** The structs of `shim/recorder.h` and `shim/shim.h`; a test compares every size and offset with the C compiler's. */
import { ContextLayout, POSITION_MAX } from "./layout.ts";
import { type Layout, struct } from "./struct.ts";

export const RECORDER_MAGIC = 0x42555342;
export const HEADER_SIZE = 4096;
export const LIBRARY_MAX = 256;
export const METRIC_MAX = 512;
export const METRIC_BUCKETS = 64;
export const LOG_SLOTS = 512;
export const COMPLETIONS = 512;

export const CrashState = { NONE: 0, WRITING: 1, SIGNAL: 2, EXIT: 3 } as const;

export const RecorderHeaderLayout = struct({
  magic: "u32",
  component_count: "u32",
  source_count: "u32",
  reserved0: "u32",
  size: "u64",
  components_at: "u64",
  sources_at: "u64",
  libraries_at: "u64",
  metrics_at: "u64",
  log_at: "u64",
  heartbeat: "u64",
  log_head: "u64",
  log_tail: "u64",
  log_dropped: "u64",
  metric_dropped: "u64",
  library_count: "u32",
  clean_exit: "u32",
  crash_state: "u32",
  crash_signal: "i32",
  crash_code: "i32",
  crash_thread: "u32",
  crash_sender: "u32",
  crash_library: "u32",
  crash_by_stack: "u32",
  crash_component: "u32",
  crash_address: "u64",
  crash_pc: "u64",
  messages: "u32",
  reserved1: "u32",
});

export const RecorderComponentLayout = struct({
  calls: "u64",
  call: "u32",
  status: "i32",
  sequence: "u64",
  events_in: "u64",
  events_out: "u64",
  bytes_in: "u64",
  bytes_out: "u64",
  errors: "u64",
  dropped: "u64",
  retries: "u64",
  health: "u32",
  state: "u32",
  queued: "u32",
  pending: "u32",
  buffer_bytes: "u64",
  buffer_events: "u64",
  buffer_dropped: "u64",
  buffer_corrupt: "u64",
});

export const RecorderSourceLayout = struct({
  turn: "u32",
  position_length: "u32",
  acknowledged: "u64",
  polled: "u64",
  position: { bytes: POSITION_MAX, align: 1 },
});

export const RecorderLibraryLayout = struct({
  start: "u64",
  end: "u64",
  path: { bytes: 240, align: 1 },
});

export const RecorderMetricLayout = struct({
  state: "u32",
  kind: "u32",
  component: "u32",
  name_length: "u32",
  name: { bytes: 64, align: 1 },
  count: "u64",
  value: "u64",
  buckets: { bytes: METRIC_BUCKETS * 8, align: 8 },
});

export const RecorderLogLayout = struct({
  turn: "u64",
  timestamp: "i64",
  span_id: "u64",
  parent_span_id: "u64",
  level: "i32",
  component: "u32",
  target_length: "u32",
  message_length: "u32",
  field_count: "u32",
  thread: "u32",
  truncated: "u32",
  reserved0: "u32",
  data: { bytes: 1984, align: 1 },
});

export const SlotLayout = struct({
  table: "pointer",
  self: "pointer",
  record: "pointer",
  index: "u32",
  woken: "u32",
  next_id: "u64",
  context: ContextLayout,
});

/** `bb_run` moved a batch all the way. */
export const LINE_DONE = 0x7fffffff;
export const LINE_STAGES = 8;

export const LineLayout = struct({
  source: "pointer",
  batch: "pointer",
  stage_count: "u64",
  stages: { bytes: LINE_STAGES * 16, align: 8 },
  moved: "u64",
  position_length: "u64",
  position: { bytes: 256, align: 1 },
});

export const CompletionLayout = struct({
  turn: "u64",
  batch_id: "u64",
  component: "u32",
  status: "i32",
  done: "u32",
  message_length: "u32",
  message: { bytes: 216, align: 1 },
  reserved0: "u64",
});

export const SharedLayout = struct({
  log_level: "i32",
  sleeping: "u32",
  completion_head: "u64",
  completions: { bytes: COMPLETIONS * CompletionLayout.size, align: 8 },
});

/** Numbers of the calls, as the flight recorder names them. */
export const CALL_NUMBER = {
  create: 1,
  restore: 2,
  start: 3,
  stop: 4,
  save: 5,
  destroy: 6,
  health: 7,
  poll: 8,
  commit: 9,
  release: 10,
  process: 11,
  tick: 12,
  write: 13,
  flush: 14,
  fetch: 15,
  execute: 16,
  before_request: 17,
  handle: 18,
  after_response: 19,
} as const;

export type CallName = keyof typeof CALL_NUMBER;

const CALL_NAME = new Map<number, CallName>(
  Object.entries(CALL_NUMBER).map(([name, number]) => [number, name as CallName]),
);

/** Name of a call by its number; "" when there is none. */
export function callName(number: number): CallName | "" {
  return CALL_NAME.get(number) ?? "";
}

/** Every struct of the two headers by its C name. */
export const RECORDER_LAYOUTS: Record<string, Layout<string>> = {
  "struct bb_header": RecorderHeaderLayout,
  "struct bb_component": RecorderComponentLayout,
  "struct bb_source_state": RecorderSourceLayout,
  "struct bb_library": RecorderLibraryLayout,
  "struct bb_metric": RecorderMetricLayout,
  "struct bb_log": RecorderLogLayout,
  "struct bb_slot": SlotLayout,
  "struct bb_line": LineLayout,
  "struct bb_completion": CompletionLayout,
  "struct bb_shared": SharedLayout,
};
