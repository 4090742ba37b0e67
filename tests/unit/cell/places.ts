/** Pipelines and plugins for tests of what looks at cells from outside. */
import type { ResolvedComponent, ResolvedPipeline } from "../../../src/config/resolved.ts";
import type { CellPlugin } from "../../../src/cell/protocol.ts";

/** A component of `use` "plugin/component". */
export function component(
  id: string,
  kind: ResolvedComponent["kind"],
  use: string,
): ResolvedComponent {
  const [plugin = "", name = ""] = use.split("/");
  return {
    id,
    kind,
    plugin,
    component: name,
    config: {},
    from: [],
    outputs: [],
    blocking: false,
    replayable: true,
  };
}

/** A pipeline with short timeouts. */
export function pipeline(
  id: string,
  components: ResolvedComponent[],
  changes: Partial<ResolvedPipeline> = {},
): ResolvedPipeline {
  return {
    id,
    enabled: true,
    cell: id,
    partitions: 1,
    validate: "normal",
    batch: { maxEvents: 64, maxBytes: 65536, maxDelayMs: 5, inFlight: 4 },
    checkpointIntervalMs: 1000,
    deadLetters: { maxBytes: 0, maxAgeMs: 0 },
    limits: { memoryBytes: 2 ** 30, descriptors: 1024, cpu: null },
    restart: { initialMs: 10, maxMs: 100, multiplier: 2, maxRestarts: 10, windowMs: 60_000 },
    timeouts: { createMs: 30_000, callMs: 30_000, stopMs: 10_000, healthMs: 2000 },
    environment: [],
    shutdownTimeoutMs: 10_000,
    components,
    ...changes,
  };
}

/** A plugin as inspection leaves it. */
export function plugin(name: string, version = "1.0.0"): CellPlugin {
  const directory = `/data/plugins/${name}/0123`;
  return {
    manifest: {
      name,
      version,
      abi: "0.1",
      requires_minor: 1,
      target: "x86_64-unknown-linux-gnu",
      components: [{ kind: "source", name: "any" }],
      build: {
        language: "c",
        toolchain_version: "gcc",
        build_profile: "release",
        build_flags: [],
        dependency_hashes: {},
      },
    },
    directory,
    library: `${directory}/libbusbar_source_${name}.so`,
    abiHash: "0".repeat(64),
  };
}
