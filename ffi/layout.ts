/** The structs and constants of `include/busbar.h`; a test compares every size and offset with the C compiler's. */
import { type Layout, struct } from "./struct.ts";

export const Status = {
  OK: 0,
  AGAIN: 1,
  MORE: 2,
  DONE: 3,
  PENDING: 4,
  FAILED: -1,
  INVALID: -2,
  FATAL: -3,
} as const;

/** What a call of a component returned; a plugin can return any other number as well, which is an error. */
export type Status = (typeof Status)[keyof typeof Status];

/** Name of a status for people; the bare number when there is none. */
export function statusName(status: number): string {
  const found = Object.entries(Status).find(([, value]) => value === status);
  return found ? found[0] : `status ${status}`;
}

/** Component kinds as numbered in the root table. */
export const KIND_NUMBER = {
  source: 1,
  processor: 2,
  reaction: 3,
  bootstrap: 4,
  service: 5,
  hook: 6,
} as const;

export type ComponentKind = keyof typeof KIND_NUMBER;

export const Operation = { MESSAGE: 0, INSERT: 1, UPDATE: 2, DELETE: 3 } as const;
export const ContentType = {
  BYTES: 0,
  TEXT: 1,
  JSON: 2,
  MSGPACK: 3,
  CBOR: 4,
  PROTOBUF: 5,
  AVRO: 6,
  ARROW: 7,
} as const;
export const RecordFlag = { MARKED: 1, BOOTSTRAP: 2, TRUNCATED: 4 } as const;
export const BatchFlag = { REPLAY: 1, DRAIN: 2 } as const;

export const POSITION_MAX = 65536;
export const ERROR_CAPACITY = 4096;

const text = struct({ data: "pointer", length: "u64" });

export const RecordLayout = struct({
  size: "u32",
  operation: "u8",
  content_type: "u8",
  source: "u16",
  timestamp: "i64",
  sequence: "u64",
  key_length: "u32",
  payload_length: "u32",
  attributes_length: "u32",
  flags: "u32",
});

export const BatchLayout = struct({
  size: "u32",
  flags: "u32",
  data: "pointer",
  capacity: "u64",
  length: "u64",
  count: "u32",
  limit: "u32",
  next_sequence: "u64",
  done: "u32",
  source: "u32",
  cursor: "u64",
  required: "u64",
  id: "u64",
  now: "i64",
  position: "pointer",
  position_length: "u32",
  position_capacity: "u32",
  loan: "pointer",
  out: "pointer",
  out_count: "u32",
  reserved0: "u32",
  reserved: { bytes: 32, align: 8 },
});

export const FieldLayout = struct({ name: text, value: text, type: "u32", reserved0: "u32" });

export const LogRecordLayout = struct({
  size: "u32",
  level: "i32",
  target: text,
  message: text,
  timestamp: "i64",
  span_id: "u64",
  parent_span_id: "u64",
  fields: "pointer",
  field_count: "u32",
  reserved0: "u32",
});

export const HostLayout = struct({
  size: "u32",
  abi_major: "u32",
  abi_minor: "u32",
  reserved0: "u32",
  log_level: "pointer",
  log: "pointer",
  counter: "pointer",
  gauge: "pointer",
  histogram: "pointer",
  wake: "pointer",
  complete: "pointer",
  extension: "pointer",
  reserved: { bytes: 64, align: 8 },
});

export const AcknowledgedLayout = struct({
  source_id: text,
  sequence: "u64",
  source: "u32",
  reserved0: "u32",
});

export const ContextLayout = struct({
  size: "u32",
  reserved0: "u32",
  host: "pointer",
  pipeline_id: text,
  component_id: text,
  config: text,
  plugin_directory: text,
  data_directory: text,
  error: "pointer",
  error_capacity: "u32",
  partition_index: "u32",
  partition_count: "u32",
  acknowledged_count: "u32",
  acknowledged: "pointer",
  position: text,
  internal: "pointer",
  component: text,
  reserved: { bytes: 16, align: 8 },
});

export const StateLayout = struct({ size: "u32", version: "u32", data: text });
export const HealthLayout = struct({ size: "u32", reserved0: "u32", message: text });

export const LifecycleLayout = struct({
  size: "u32",
  reserved0: "u32",
  create: "pointer",
  restore: "pointer",
  start: "pointer",
  stop: "pointer",
  save: "pointer",
  destroy: "pointer",
  health: "pointer",
  reserved: { bytes: 32, align: 8 },
});

export const SourceLayout = struct({
  lifecycle: LifecycleLayout,
  poll: "pointer",
  commit: "pointer",
  release: "pointer",
});
export const ProcessorLayout = struct({
  lifecycle: LifecycleLayout,
  process: "pointer",
  tick: "pointer",
});
export const ReactionLayout = struct({
  lifecycle: LifecycleLayout,
  write: "pointer",
  flush: "pointer",
  tick: "pointer",
});
export const BootstrapLayout = struct({ lifecycle: LifecycleLayout, fetch: "pointer" });
export const ServiceLayout = struct({ lifecycle: LifecycleLayout, execute: "pointer" });
export const HookLayout = struct({
  lifecycle: LifecycleLayout,
  before_request: "pointer",
  handle: "pointer",
  after_response: "pointer",
});

export const HeaderLayout = struct({ name: text, value: text });

export const CallLayout = struct({
  size: "u32",
  slot: "u32",
  id: "u64",
  deadline: "i64",
  method: text,
  path: text,
  query: text,
  headers: "pointer",
  body: text,
  header_count: "u32",
  answer_status: "u32",
  answer_headers: "pointer",
  answer: text,
  answer_header_count: "u32",
  reserved0: "u32",
  error: "pointer",
  error_capacity: "u32",
  reserved1: "u32",
  reserved: { bytes: 16, align: 8 },
});

export const ComponentLayout = struct({
  size: "u32",
  kind: "u32",
  name: "pointer",
  table: "pointer",
});
export const PluginLayout = struct({
  size: "u32",
  component_count: "u32",
  components: "pointer",
  extension: "pointer",
  reserved: { bytes: 32, align: 8 },
});

/** Every struct of the header by its C name. */
export const LAYOUTS: Record<string, Layout<string>> = {
  busbar_record_t: RecordLayout,
  busbar_batch_t: BatchLayout,
  busbar_field_t: FieldLayout,
  busbar_log_record_t: LogRecordLayout,
  busbar_host_t: HostLayout,
  busbar_acknowledged_t: AcknowledgedLayout,
  busbar_context_t: ContextLayout,
  busbar_state_t: StateLayout,
  busbar_health_t: HealthLayout,
  busbar_lifecycle_t: LifecycleLayout,
  busbar_source_t: SourceLayout,
  busbar_processor_t: ProcessorLayout,
  busbar_reaction_t: ReactionLayout,
  busbar_bootstrap_t: BootstrapLayout,
  busbar_service_t: ServiceLayout,
  busbar_hook_t: HookLayout,
  busbar_header_t: HeaderLayout,
  busbar_call_t: CallLayout,
  busbar_component_t: ComponentLayout,
  busbar_plugin_t: PluginLayout,
};
