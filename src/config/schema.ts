import { z } from "zod";
import { httpFields, serviceFields } from "./service_schema.ts";
import { atLeastOne, duration, ID_PATTERN, listOf, named, size } from "./fields.ts";

/** The settings of a component or plugin; checked against the plugin's own schema later. */
const componentConfig = z.record(z.string(), z.unknown())
  .describe("Settings of the component, as its plugin's config_schema describes them");

const use = z.string().min(1)
  .describe("plugin/component, or the plugin alone where it has one component of this kind");

const from = listOf(z.string().min(1))
  .describe(
    "What it reads: component ids of this pipeline, or id.output for one of several outputs",
  );

const multiplier = z.number().min(1).max(100).describe("Factor by which the wait grows each time");

// Fields that exist twice: with defaults under `cells`, without under each pipeline.
const limits = {
  memory: size({ least: "64MiB" }).describe("Resident memory of the cell's process"),
  descriptors: z.int().min(64).max(1_048_576).describe("Open file descriptors of the process"),
  cpu: z.number().positive().max(1024).optional()
    .describe("Processor cores the cell may use, averaged over 10 s; unlimited when absent"),
};
const restart = {
  initial: duration().describe("Wait before the first restart"),
  max: duration().describe("Longest wait"),
  multiplier,
  max_restarts: z.int().min(0).describe(
    "Restarts within the window after which the pipeline is failed",
  ),
  window: duration({ least: "1ms" }).describe("The time in which max_restarts are counted"),
};
const timeouts = {
  create: duration({ least: "1ms" }).describe(
    "Longest a component's create, restore or start may take",
  ),
  call: duration({ least: "1ms" }).describe("Longest any other call into a component may take"),
  stop: duration({ least: "1ms" }).describe("Longest a component's stop, save or destroy may take"),
  health: duration({ least: "1ms" }).describe("Longest a component's health may take"),
};
const environment = z.array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/))
  .describe("Names of environment variables that cells may see");
const shutdownTimeout = duration()
  .describe("Time for stopping sources, draining and flushing before the cell is killed");

const cells = z.strictObject({
  limits: z.strictObject({
    ...limits,
    memory: limits.memory.prefault("1GiB"),
    descriptors: limits.descriptors.default(1024),
  }).prefault({}),
  restart: z.strictObject({
    initial: restart.initial.prefault("100ms"),
    max: restart.max.prefault("30s"),
    multiplier: restart.multiplier.default(2),
    max_restarts: restart.max_restarts.default(10),
    window: restart.window.prefault("60s"),
  }).prefault({}),
  timeouts: z.strictObject({
    create: timeouts.create.prefault("30s"),
    call: timeouts.call.prefault("30s"),
    stop: timeouts.stop.prefault("10s"),
    health: timeouts.health.prefault("2s"),
  }).prefault({}),
  environment: environment.default([]),
  shutdown_timeout: shutdownTimeout.prefault("30s"),
});

const buffer = z.strictObject({
  type: z.enum(["disk"]).describe("Where polled events are kept until they are finished"),
  max_bytes: size({ least: "64KiB", most: "1TiB" }).prefault("1GiB")
    .describe("Bytes of events that it holds at most"),
  when_full: z.enum(["block", "drop_oldest", "reject"]).default("block")
    .describe(
      "block stops polling, drop_oldest gives up the oldest events that wait, reject the newest",
    ),
}).describe("Keeps events of a source that cannot replay through crashes");

const source = z.strictObject({
  use,
  config: componentConfig.optional(),
  buffer: buffer.optional(),
});

const delivery = {
  retry: z.strictObject({
    initial: duration().prefault("100ms").describe("Wait before the first retry"),
    max: duration().prefault("30s").describe("Longest wait"),
    multiplier: multiplier.default(2),
    max_attempts: z.int().min(0).default(0)
      .describe("Attempts after which on_failure decides; 0 = try for ever"),
    jitter: z.number().min(0).max(1).default(0.2).describe("Part of a wait that is left to chance"),
  }).prefault({}),
  on_failure: z.enum(["dead_letter", "drop", "stop"]).default("dead_letter")
    .describe("What happens to events that the component refuses for good"),
};

const processor = z.strictObject({ use, from, config: componentConfig.optional(), ...delivery });

const reaction = z.strictObject({ use, from, config: componentConfig.optional(), ...delivery });

const own = {
  limits: z.strictObject(limits).partial().optional(),
  restart: z.strictObject(restart).partial().optional(),
  environment: environment.optional(),
  shutdown_timeout: shutdownTimeout.optional(),
};

const service = z.strictObject({
  use: use.describe("plugin/component of a service or hook"),
  config: componentConfig.optional(),
  ...serviceFields,
  ...own,
  timeouts: z.strictObject(timeouts).omit({ call: true }).partial().optional(),
});

const hook = service.extend({
  id: z.string().regex(ID_PATTERN).optional()
    .describe("What routes call it; its component, as use names it, by default"),
  use: use.describe("plugin/component of a hook, such as builtin/auth"),
});

const http = z.strictObject({
  ...httpFields,
  hooks: z.array(hook).default([])
    .describe("What sees requests before they are answered, and answers after, in this order"),
});

const pipeline = z.strictObject({
  enabled: z.boolean().default(true),
  cell: z.string().regex(ID_PATTERN).optional()
    .describe("Pipelines naming the same cell run in one process; its own id by default"),
  partitions: z.int().min(1).max(1024).default(1)
    .describe("Cells the pipeline runs in, events split by key"),
  validate: z.enum(["normal", "strict"]).default("normal")
    .describe("strict checks each batch once more before every consumer"),
  batch: z.strictObject({
    max_events: z.int().min(1).max(1_048_576).default(1024)
      .describe("A batch closes at this many events"),
    max_bytes: size({ least: "4KiB", most: "1GiB" }).prefault("1MiB")
      .describe("A batch closes at this size"),
    max_delay: duration().prefault("5ms")
      .describe("A batch that is not full closes this long after its first event"),
    in_flight: z.int().min(1).max(1024).default(4)
      .describe("Batches of one source that may be under way at once"),
  }).prefault({}),
  checkpoint_interval: duration({ least: "1ms" }).prefault("1s")
    .describe("Time between two checkpoints"),
  dead_letters: z.strictObject({
    max_bytes: size({ least: "1KiB" }).prefault("256MiB").describe(
      "The oldest are removed beyond this",
    ),
    max_age: duration({ least: "1s", most: "3650d" }).prefault("30d").describe(
      "Older ones are removed",
    ),
  }).prefault({}),
  ...own,
  timeouts: z.strictObject(timeouts).partial().optional(),
  sources: atLeastOne(source, "source"),
  processors: named(processor).default({}),
  queries: z.record(z.string(), z.unknown()).optional()
    .describe("Reserved for continuous queries, which this version does not have")
    .refine((value) => value === undefined, {
      error: "Continuous queries are not in this version: remove queries, or use a processor",
    }),
  reactions: atLeastOne(reaction, "reaction"),
});

const plugins = z.strictObject({
  directories: z.array(z.string().min(1)).optional()
    .describe(
      "Folders with plugins; plugins/ beside the binary and the binary's folder by default",
    ),
  preload: z.array(z.string().min(1)).default([])
    .describe("Shared runtime libraries that cells load, visible to all, before plugins"),
  watch: z.strictObject({
    enabled: z.boolean().default(true),
    interval: duration({ least: "100ms" }).prefault("30s").describe("Time between two full scans"),
    debounce: duration().prefault("500ms").describe("Quiet time after a change before it is read"),
  }).prefault({}),
  compatibility: z.enum(["abi", "strict"]).default("abi")
    .describe("strict also wants toolchain, profile and dependencies to equal the distribution's"),
  use: named(z.strictObject({
    enabled: z.boolean().default(true),
    path: z.string().min(1).optional().describe("The library or plugin folder to take"),
    config: componentConfig.optional(),
  })).default({}).describe("Settings by plugin name"),
});

/** The whole of `busbar.yaml`. Strict: an unknown key anywhere is an error. */
export const configSchema = z.strictObject({
  data_dir: z.string().min(1).optional()
    .describe(
      "Store, checkpoints and copies of plugin files; /var/lib/busbar or the state folder of the user by default",
    ),
  server: z.strictObject({
    enabled: z.boolean().default(true).describe("false runs without HTTP"),
    host: z.string().min(1).default("127.0.0.1").describe("Address to listen on"),
    port: z.int().min(0).max(65535).default(7700).describe("0 takes any free port"),
    insecure: z.boolean().default(false)
      .describe("Allows an address that other machines reach without TLS"),
  }).prefault({}),
  log: z.strictObject({
    level: z.enum(["trace", "debug", "info", "warning", "error", "fatal"]).default("info"),
    format: z.enum(["auto", "pretty", "json"]).default("auto")
      .describe("auto is pretty on a terminal and JSON otherwise"),
  }).prefault({}),
  plugins: plugins.prefault({}),
  cells: cells.prefault({}).describe("Defaults for the processes of all pipelines"),
  pipelines: named(pipeline).default({}),
  services: named(service).default({}).describe("Plugins that answer calls"),
  http: http.optional().describe("A listener for requests that services and sources answer"),
  tests: z.array(z.unknown()).optional()
    .describe("Config tests, which busbar test runs; they may stand in a file of their own"),
});

/** A checked configuration: durations in milliseconds, sizes in bytes, defaults filled in. */
export type Config = z.output<typeof configSchema> & { data_dir: string };

export type PipelineConfig = Config["pipelines"][string];
export type ServiceConfig = Config["services"][string];
export type HttpConfig = NonNullable<Config["http"]>;

const INTERPOLATION = "\\$\\{.+\\}";

/**
 * The published JSON Schema (2020-12) of the file as people write it. Whatever is not free text may
 * also be given as `"${…}"`.
 */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ jsonSchema: node, path }) => {
      if (path.at(-1) === "propertyNames") return;
      if (node.pattern !== undefined) node.pattern = `${node.pattern}|${INTERPOLATION}`;
      const closed = node.enum !== undefined || /^(integer|number|boolean)$/.test(`${node.type}`);
      if (!closed || path.at(-2) === "anyOf") return;
      const { description, default: fallback, ...plain } = node;
      for (const key of Object.keys(node)) delete node[key];
      if (description !== undefined) node.description = description;
      if (fallback !== undefined) node.default = fallback;
      node.anyOf = [plain, { type: "string", pattern: INTERPOLATION }];
    },
  });
  return { ...schema, $id: "busbar.schema.json", title: "busbar.yaml" };
}
