import abiVersions from "../../../ffi/abi_versions.json" with { type: "json" };
import project from "../../../deno.json" with { type: "json" };
import type { Manifest } from "../../plugin/manifest.ts";
import type { LogLevelName } from "../cell_log.ts";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";
const LEVELS: LogLevelName[] = ["trace", "debug", "info", "warning", "error", "fatal"];
const SIZE = { type: ["string", "integer"], format: "busbar-size", minimum: 0 };

/** A config_schema that knows only these settings. */
function settings(
  properties: Record<string, Record<string, unknown>>,
  rules: Record<string, unknown> = {},
): Record<string, unknown> {
  return { $schema: DIALECT, type: "object", additionalProperties: false, properties, ...rules };
}

/** What the plugin inside the binary holds. docs/components/ is the guide to it. */
export const BUILTIN_MANIFEST: Manifest = {
  name: "builtin",
  version: project.version,
  description: "Components inside the busbar binary",
  license: project.license,
  abi: abiVersions.current,
  requires_minor: Number(abiVersions.current.split(".")[1]),
  target: Deno.build.target,
  components: [
    {
      kind: "source",
      name: "generate",
      description: "Makes events, the same ones for the same settings",
      replayable: true,
      partitioned: true,
      config_schema: settings({
        rate: {
          description: "Events a second, such as 100/s; as many as the pipeline takes by default",
          type: ["string", "number"],
          format: "busbar-rate",
          exclusiveMinimum: 0,
        },
        count: {
          description: "The source ends after so many events; never by default",
          type: "integer",
          minimum: 0,
        },
        payload_size: {
          ...SIZE,
          description: "Bytes of each payload, a size such as 1KiB",
          default: 64,
        },
        seed: {
          description: "Another number makes other payloads",
          type: "integer",
          minimum: 0,
          maximum: 0xffffffff,
          default: 0,
        },
        json: {
          description: "Make each payload a JSON object",
          type: "boolean",
          default: false,
        },
        payload: {
          description: "A text that is every payload, instead of made ones",
          type: "string",
        },
      }, { if: { required: ["payload"] }, then: { properties: { json: { const: false } } } }),
    },
    {
      kind: "reaction",
      name: "log",
      description: "Writes each event as a log record",
      config_schema: settings({
        level: {
          description: "Level of the records",
          enum: LEVELS,
          default: "info",
        },
        max_payload: {
          ...SIZE,
          description: "Payloads are cut to this many bytes, at most 1KiB",
          maximum: 1024,
          default: 1024,
        },
      }),
    },
    {
      kind: "reaction",
      name: "stdout",
      description: "Writes events to the standard output of busbar",
      config_schema: settings({
        format: {
          description: "A JSON object for each event, or its bare payload; a line each",
          enum: ["ndjson", "payload"],
          default: "ndjson",
        },
      }),
    },
    {
      kind: "reaction",
      name: "discard",
      description: "Accepts every event and forgets it",
      config_schema: settings({}),
    },
    {
      kind: "reaction",
      name: "stats",
      description: "Counts events, bytes and marked events, also by a field of JSON payloads",
      config_schema: settings({
        group_by: {
          description: "Count events by the value of this field of their JSON payload",
          type: "string",
          minLength: 1,
        },
        max_groups: {
          description: 'Further values are counted together as "other"',
          type: "integer",
          minimum: 1,
          maximum: 1_000_000,
          default: 1000,
        },
        interval: {
          description: "Time between two summaries in the log; 0s logs one at the stop only",
          type: "string",
          format: "busbar-duration",
          default: "10s",
        },
        file: {
          description: "A JSON file that is kept up to date with the counts",
          type: "string",
          minLength: 1,
        },
      }),
    },
  ],
  build: {
    language: "typescript",
    toolchain_version: `deno ${Deno.version.deno}, typescript ${Deno.version.typescript}`,
    build_profile: "release",
    build_flags: [],
    dependency_hashes: {},
  },
};
