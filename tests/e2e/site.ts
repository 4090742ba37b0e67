/** What the tests of the commands have in common. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { libc } from "../../ffi/libc.ts";
import { type DeadLetterInit, PipelineStore } from "../../src/store/pipeline_store.ts";
import { PLUGINS } from "../fixtures/build.ts";
import { type Busbar, type BusbarOutput, runBusbar, withBusbar } from "../support/busbar.ts";

// Loaded once for all tests, so that no test seems to leak it.
libc();

/** A data folder that several hosts use one after the other, and the commands on it. */
export class Site {
  readonly folder: string;
  readonly data: string;

  constructor(folder: string) {
    this.folder = folder;
    this.data = join(folder, "data");
  }

  host<T>(
    pipelines: Record<string, unknown>,
    action: (busbar: Busbar) => Promise<T>,
    more: Record<string, unknown> = {},
  ): Promise<T> {
    const config = { data_dir: this.data, plugins: { directories: [PLUGINS] }, pipelines, ...more };
    return withBusbar({ config }, action);
  }

  run(...args: string[]): Promise<BusbarOutput> {
    return runBusbar([...args, "--data-dir", this.data]);
  }

  /** What a command prints with `--json`; it must succeed. */
  // deno-lint-ignore no-explicit-any
  async json(...args: string[]): Promise<any> {
    const { code, stdout, stderr } = await this.run(...args, "--json");
    assert.equal(code, 0, `busbar ${args.join(" ")}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** What a command says that must fail with code 1. */
  async failure(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    assert.equal(code, 1, `busbar ${args.join(" ")}: ${stdout}${stderr}`);
    return stderr;
  }

  store(pipeline: string): PipelineStore {
    return PipelineStore.open(join(this.data, "pipelines", pipeline, "pipeline.db"));
  }
}

export async function withSite(action: (site: Site) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_control_" });
  try {
    await action(new Site(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A pipeline of one source that nobody reads from but `discard`. */
export function pipeline(source = "builtin/generate", more: Record<string, unknown> = {}) {
  const config = source === "builtin/generate" ? { rate: "1000/s" } : { idle: true, count: 5 };
  return {
    sources: { s: { use: source, config } },
    reactions: { r: { use: "builtin/discard", from: ["s"] } },
    ...more,
  };
}

// deno-lint-ignore no-explicit-any
export const runs = (pipeline: any) => pipeline.status === "running";

export function letters(count: number): DeadLetterInit[] {
  return Array.from({ length: count }, (_, i) => ({
    component: i % 2 === 0 ? "r" : "gone",
    plugin: "builtin",
    code: i % 2 === 0 ? "Failed" : "Invalid",
    error: `no\x1b[31m use ${i}`,
    attempts: i,
    source: "s",
    sequence: 1000 + i,
    operation: 0,
    contentType: 0,
    timestamp: 0n,
    flags: 0,
    key: new Uint8Array(),
    payload: new TextEncoder().encode(`payload ${i}`),
    attributes: new Uint8Array(),
  }));
}
