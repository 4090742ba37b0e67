import { dirname } from "node:path";
import type { GoodInspection } from "../plugin/inspect.ts";
import type { ManifestComponent } from "../plugin/manifest.ts";
import type { Configs } from "./configs.ts";
import type { Check } from "./report.ts";
import { type Fixture, planRecords, planRequest, planStep, toBase64 } from "./fixtures.ts";

/** A component that can be run, and what with. */
export interface Prepared {
  readonly plugin: GoodInspection;
  readonly component: ManifestComponent;
  readonly fixture: Fixture;
  readonly configs: Configs;
}

/** What a plan is made of. */
export interface PlanParts extends Prepared {
  readonly seed: number;
  /** For each check. */
  readonly timeoutMs: number;
  /** Address of the server that takes every request; undefined where nothing asks for it. */
  readonly httpUrl: string | undefined;
}

/** What a check may map, in MiB: enough for every plugin, and less than what would trouble the machine. */
const MEMORY_MB = 4096;

/** What the driver is to do with a component. */
export function makePlan(parts: PlanParts, checks: readonly Check[]): Record<string, unknown> {
  const { plugin, component, fixture, configs, seed, timeoutMs, httpUrl } = parts;
  const { library, folder, manifest, binary } = plugin;
  // Huge settings take longer to hand over than most checks take.
  const tried = checks.flatMap(({ tries }) => tries ?? []);
  const texts = (sort: "valid" | typeof tried[number]) =>
    sort === "valid" || tried.includes(sort)
      ? configs[sort].map((text) => place(text, httpUrl))
      : [];
  return {
    library,
    folder: folder ?? dirname(library),
    components: manifest.components.map(({ kind, name }) => ({ kind, name })),
    component: {
      kind: component.kind,
      name: component.name,
      outputs: component.kind === "processor" ? component.outputs?.length ?? 1 : 0,
      tick_ms: component.tick_ms ?? 0,
      blocking: component.blocking ?? false,
      concurrency: component.concurrency ?? 1,
      replayable: component.replayable ?? false,
      language: manifest.build.language,
    },
    checks: checks.map(({ name }) => name),
    seed,
    timeout_ms: timeoutMs,
    // A Go runtime and a sanitizer map far more than they use.
    memory_mb: fixture.memory_mb ?? (binary.runtime === "go" || hasAsan(plugin) ? 0 : MEMORY_MB),
    config: place(configs.working ?? "{}", httpUrl),
    configs: {
      valid: texts("valid"),
      default: texts("default"),
      invalid: texts("invalid"),
      huge: texts("huge"),
      random: texts("random"),
    },
    files: Object.entries(fixture.files)
      .map(([path, data]) => ({ path, base64: toBase64(data) })),
    feed: fixture.feed.map(planStep),
    ...(fixture.input && { input: planRecords(fixture.input) }),
    ...(fixture.requests && { requests: fixture.requests.map(planRequest) }),
    ...(fixture.events !== undefined && { events: fixture.events }),
  };
}

/** Whether the library was compiled with AddressSanitizer. */
export function hasAsan({ binary }: GoodInspection): boolean {
  return binary.undefinedSymbols.includes("__asan_init");
}

/** Whether something of a fixture wants the server. */
export function wantsServer(fixture: Fixture): boolean {
  return JSON.stringify(fixture).includes("${http_url}");
}

/** Puts in what only this process knows; a text that is nothing but the port becomes a number. */
function place(text: string, httpUrl: string | undefined): string {
  return text.replaceAll("${http_url}", httpUrl ?? "${http_url}")
    .replaceAll('"${port}"', "${port}");
}
