/** What the API shows of pipelines. */
import type { ResolvedComponent, ResolvedPipeline } from "../config/resolved.ts";
import type { LastExit } from "./blame.ts";
import { type BufferReading, ComponentState, Health } from "../../ffi/flight_recorder.ts";
import type { ComponentFailure } from "../pipeline/spec.ts";
import type { ComponentView } from "./component_counters.ts";
import type { PipelineStatus } from "./pipeline_statuses.ts";
import type { ReloadView } from "./reload_record.ts";
import type { SupervisedCell } from "./supervised_cell.ts";

/** A cell's process. */
export interface CellView {
  /** Name of the cell. */
  name: string;
  pid: number;
  /** Resident memory in bytes. */
  rss: number;
  /** ISO 8601. */
  startedAt: string;
  /** From spawn to ready, in ms; null before. */
  readyMs: number | null;
}

/** One component, summed up over partitions and restarts. */
export interface PipelineComponentView {
  id: string;
  kind: ResolvedComponent["kind"];
  plugin: string;
  component: string;
  eventsIn: number;
  eventsOut: number;
  bytesIn: number;
  bytesOut: number;
  errors: number;
  /** Events given up. */
  dropped: number;
  /** Writes tried again. */
  retries: number;
  /** Batches that wait before it. */
  queued: number;
  /** Batches that it has not completed. */
  pending: number;
  state: string;
  health: string;
  healthMessage: string;
  /** A source's buffer on disk; null where there is none. */
  buffer: BufferReading | null;
  /** What the plugin measures itself, since its process started; counters and gauges are summed up over partitions. */
  metrics: Record<string, number | { count: number; sum: number }>;
}

/** One pipeline, whatever its number of cells. */
export interface PipelineView {
  id: string;
  status: PipelineStatus;
  /** Null while there is no process. The first partition's, where there are several. */
  cell: CellView | null;
  /** All processes that it runs in. */
  cells: CellView[];
  restarts: number;
  reloads: ReloadView;
  /** The newest end that nobody asked for. */
  lastExit: LastExit | null;
  /** Why it failed, where a component said so. */
  failure: ComponentFailure | null;
  components: PipelineComponentView[];
}

/** From the status that says most about a pipeline to the one that says least. */
const STATUS_ORDER: PipelineStatus[] = [
  "failed",
  "restarting",
  "reloading",
  "starting",
  "stopping",
  "paused",
  "running",
  "stopped",
  "completed",
  "disabled",
];

const HEALTH_NAMES: Record<number, string> = {
  [Health.UNKNOWN]: "unknown",
  [Health.WELL]: "healthy",
  [Health.UNWELL]: "unhealthy",
  [Health.SILENT]: "unresponsive",
};
/** Worst first. */
const HEALTH_ORDER = ["unresponsive", "unhealthy", "unknown", "healthy"];

const STATE_NAMES: Record<number, string> = {
  [ComponentState.NONE]: "none",
  [ComponentState.CREATED]: "created",
  [ComponentState.STARTED]: "started",
  [ComponentState.STOPPED]: "stopped",
  [ComponentState.DONE]: "done",
};

/** A pipeline's status over all its cells. */
export function overallStatus(id: string, cells: SupervisedCell[]): PipelineStatus {
  const statuses = cells.map((cell) => cell.status(id));
  return STATUS_ORDER.find((status) => statuses.includes(status)) ?? "disabled";
}

/** A pipeline as the API shows it; `cells` are those that it runs in, in the order of its partitions. */
export function viewPipeline(pipeline: ResolvedPipeline, cells: SupervisedCell[]): PipelineView {
  const { id } = pipeline;
  const processes = cells.flatMap((cell) => viewCell(cell) ?? []);
  const exits = cells.flatMap((cell) => cell.lastExit ?? []).sort((a, b) =>
    b.at.localeCompare(a.at)
  );
  return {
    id,
    status: overallStatus(id, cells),
    cell: processes[0] ?? null,
    cells: processes,
    restarts: cells.reduce((sum, cell) => sum + cell.restarts, 0),
    reloads: sumReloads(cells),
    lastExit: exits[0] ?? null,
    failure: cells.map((cell) => cell.failure(id)).find((failure) => failure !== undefined) ?? null,
    components: pipeline.components.map((component) => viewComponent(id, component, cells)),
  };
}

function sumReloads(cells: SupervisedCell[]): ReloadView {
  const gaps = cells.flatMap(({ reloads }) => reloads.lastGapMs ?? []);
  return {
    count: cells.reduce((sum, { reloads }) => sum + reloads.count, 0),
    lastGapMs: gaps.length === 0 ? null : Math.max(...gaps),
    lastError: cells.flatMap(({ reloads }) => reloads.lastError ?? [])[0] ?? null,
  };
}

function viewCell(cell: SupervisedCell): CellView | undefined {
  const run = cell.process;
  return run && {
    name: cell.plan.name,
    pid: run.pid,
    rss: run.rss,
    startedAt: run.startedAt.toISOString(),
    readyMs: run.readyMs ?? null,
  };
}

function viewComponent(
  pipeline: string,
  component: ResolvedComponent,
  cells: SupervisedCell[],
): PipelineComponentView {
  const parts = cells.flatMap((cell) =>
    cell.plan.pipelines
      .filter((member) => member.pipeline.id === pipeline)
      .map(({ partitionIndex }) => cell.component(`${pipeline}/${partitionIndex}/${component.id}`))
  );
  const total = (name: keyof ComponentView) =>
    parts.reduce((sum, part) => sum + Number(part[name]), 0);
  const healths = parts.map(({ health }) => HEALTH_NAMES[health] ?? "unknown");
  const health = HEALTH_ORDER.find((name) => healths.includes(name)) ?? "unknown";
  return {
    id: component.id,
    kind: component.kind,
    plugin: component.plugin,
    component: component.component,
    eventsIn: total("eventsIn"),
    eventsOut: total("eventsOut"),
    bytesIn: total("bytesIn"),
    bytesOut: total("bytesOut"),
    errors: total("errors"),
    dropped: total("dropped"),
    retries: total("retries"),
    queued: total("queued"),
    pending: total("pending"),
    state: STATE_NAMES[parts[0]?.state ?? 0] ?? "none",
    health,
    healthMessage: parts[healths.indexOf(health)]?.healthMessage ?? "",
    buffer: component.buffer
      ? {
        bytes: total("bufferBytes"),
        events: total("bufferEvents"),
        dropped: total("bufferDropped"),
        corrupt: total("bufferCorrupt"),
      }
      : null,
    metrics: viewMetrics(pipeline, component.id, cells),
  };
}

function viewMetrics(
  pipeline: string,
  component: string,
  cells: SupervisedCell[],
): PipelineComponentView["metrics"] {
  const metrics: PipelineComponentView["metrics"] = {};
  for (const { place, metric } of cells.flatMap((cell) => cell.metrics())) {
    if (place?.pipeline.id !== pipeline || place.component.id !== component) continue;
    const { name, kind, count, value } = metric;
    const before = metrics[name];
    if (kind === "histogram") {
      const sum = typeof before === "object" ? before : { count: 0, sum: 0 };
      metrics[name] = { count: sum.count + count, sum: sum.sum + value };
    } else metrics[name] = (typeof before === "number" ? before : 0) + value;
  }
  return metrics;
}
