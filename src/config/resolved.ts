/**
 * What the cell engine gets: pipelines with every name looked up, every default filled in and every
 * unit read. Plain JSON throughout, so that it can be sent to a cell as it is.
 */
export interface ResolvedPipeline {
  id: string;
  enabled: boolean;
  /** Name of the process it runs in; pipelines with the same name share it. */
  cell: string;
  /** Number of cells it runs in, events split by key. */
  partitions: number;
  /** `strict` checks every batch once more before each consumer. */
  validate: "normal" | "strict";
  batch: {
    maxEvents: number;
    maxBytes: number;
    maxDelayMs: number;
    /** Batches of one source that may be under way at once. */
    inFlight: number;
  };
  checkpointIntervalMs: number;
  /** Bounds of the dead letters that are kept; the oldest go first. */
  deadLetters: { maxBytes: number; maxAgeMs: number };
  limits: {
    memoryBytes: number;
    descriptors: number;
    /** Processor cores, averaged over 10 s; null = no limit. */
    cpu: number | null;
  };
  restart: {
    initialMs: number;
    maxMs: number;
    multiplier: number;
    maxRestarts: number;
    windowMs: number;
  };
  timeouts: { createMs: number; callMs: number; stopMs: number; healthMs: number };
  /** Names of the environment variables that the cell may see. */
  environment: string[];
  shutdownTimeoutMs: number;
  /** In topological order: what a component reads from stands before it. Sources come first. */
  components: ResolvedComponent[];
  /** For a service or hook, which runs in a cell as a pipeline does, but answers calls; its one component is it. */
  service?: ServiceSettings;
}

/** The listener for requests. */
export interface ResolvedHttp {
  listen: {
    host: string;
    port: number;
    tls: { certificate: string; key: string } | null;
  };
  limits: {
    headerBytes: number;
    bodyBytes: number;
    timeMs: number;
    requests: number;
    memoryBytes: number;
  };
  /** In the order in which they are called. */
  hooks: ResolvedHook[];
  routes: ResolvedRoute[];
}

export interface ResolvedHook {
  id: string;
  /** Its place in the configuration. */
  index: number;
  /** A built-in one, by the name of its component, with its settings; or the id that the cells know it by. */
  hook: { builtin: string; config: Record<string, unknown> } | { unit: string };
}

export interface ResolvedRoute {
  path: string;
  methods: string[];
  target:
    | { call: "execute" | "handle"; unit: string }
    | { call: "receive"; pipeline: string; source: string };
  /** Ids of the hooks that see its requests. */
  hooks: string[];
}

/** How a service or hook is called. */
export interface ServiceSettings {
  /** Its id in the configuration. */
  id: string;
  timeoutMs: number;
  /** Bytes of a request's and of an answer's body, at most. */
  maxInput: number;
  maxOutput: number;
  /** Calls at once. */
  concurrency: number;
  /** Calls that may wait for others. */
  queue: number;
}

export interface ResolvedComponent {
  /** Unique in its pipeline. */
  id: string;
  kind: "source" | "processor" | "reaction" | "service" | "hook";
  /** Name of the plugin, `builtin` for what is inside the binary. */
  plugin: string;
  /** Name of the component within the plugin. */
  component: string;
  /** Final settings: schema defaults < `plugins.use.NAME.config` < the component's own. */
  config: Record<string, unknown>;
  /** What it reads, in the order of the file; empty for a source. */
  from: { component: string; output: number }[];
  /** Names of its outputs in the order of `batch->out[n]`; one, called `out`, if its plugin names none. */
  outputs: string[];
  /** Its calls may block, so they are made on the thread pool. */
  blocking: boolean;
  /** Of a built-in component: how often its `tick` is called; without it only after a wake. */
  tickMs?: number;
  /** It can go back to a position that it gave earlier. */
  replayable: boolean;
  /** Sources only; null = what is polled is kept in memory alone. */
  buffer?: BufferSettings | null;
  /** Processors and reactions. */
  delivery?: {
    retry: {
      initialMs: number;
      maxMs: number;
      multiplier: number;
      /** 0 = for ever. */
      maxAttempts: number;
      /** Part of a wait that is left to chance, from 0 to 1. */
      jitter: number;
    };
    onFailure: "dead_letter" | "drop" | "stop";
  };
}

/** A source's buffer on disk. */
export interface BufferSettings {
  maxBytes: number;
  whenFull: "block" | "drop_oldest" | "reject";
}
