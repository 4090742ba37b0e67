import type { ResolvedPipeline } from "./resolved.ts";
import type { Config, PipelineConfig } from "./schema.ts";

/** Of a pipeline's settings, those of the process it runs in. */
type CellSettings = Pick<
  ResolvedPipeline,
  "limits" | "restart" | "timeouts" | "environment" | "shutdownTimeoutMs"
>;

/** A pipeline's settings over the defaults of `cells`, in the words and units of the program. */
export function pipelineSettings(
  id: string,
  pipeline: PipelineConfig,
  cells: Config["cells"],
): Omit<ResolvedPipeline, "components"> {
  const { batch } = pipeline;
  return {
    id,
    enabled: pipeline.enabled,
    cell: pipeline.cell ?? id,
    partitions: pipeline.partitions,
    validate: pipeline.validate,
    batch: {
      maxEvents: batch.max_events,
      maxBytes: batch.max_bytes,
      maxDelayMs: batch.max_delay,
      inFlight: batch.in_flight,
    },
    checkpointIntervalMs: pipeline.checkpoint_interval,
    deadLetters: {
      maxBytes: pipeline.dead_letters.max_bytes,
      maxAgeMs: pipeline.dead_letters.max_age,
    },
    ...cellSettings(pipeline, cells),
  };
}

/** Settings of a process, over the defaults of `cells`. */
export function cellSettings(
  own: Pick<PipelineConfig, "limits" | "restart" | "environment" | "shutdown_timeout"> & {
    timeouts?: Partial<PipelineConfig["timeouts"]> | undefined;
  },
  cells: Config["cells"],
): CellSettings {
  const limits = over(cells.limits, own.limits);
  const restart = over(cells.restart, own.restart);
  const timeouts = over(cells.timeouts, own.timeouts);
  return {
    limits: {
      memoryBytes: limits.memory,
      descriptors: limits.descriptors,
      cpu: limits.cpu ?? null,
    },
    restart: {
      initialMs: restart.initial,
      maxMs: restart.max,
      multiplier: restart.multiplier,
      maxRestarts: restart.max_restarts,
      windowMs: restart.window,
    },
    timeouts: {
      createMs: timeouts.create,
      callMs: timeouts.call,
      stopMs: timeouts.stop,
      healthMs: timeouts.health,
    },
    environment: own.environment ?? cells.environment,
    shutdownTimeoutMs: own.shutdown_timeout ?? cells.shutdown_timeout,
  };
}

/** The defaults, with what the pipeline gives in their place. */
function over<T extends object>(
  defaults: T,
  given: { [K in keyof T]?: T[K] | undefined } = {},
): T {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(present) };
}
