/**
 * The components of the plugin `builtin` by kind and name, a line each, loaded when they are used. manifest/mod.ts describes them;
 * `scripts/build --builtins` leaves out those that are not wanted.
 */
import type { BuiltinFactory } from "../builtin.ts";

export const BUILTIN_FACTORIES: Record<string, () => Promise<BuiltinFactory>> = {
  "source/generate": async () => (await import("./generate.ts")).generate,
  "source/http": async () => (await import("./http_source.ts")).httpSource,
  "source/cron": async () => (await import("./cron.ts")).cron,
  "source/file": async () => (await import("./file_source.ts")).fileSource,
  "source/stdin": async () => (await import("./stdin.ts")).stdin,
  "processor/filter": async () => (await import("./filter.ts")).filter,
  "processor/map": async () => (await import("./map.ts")).map,
  "processor/route": async () => (await import("./route.ts")).route,
  "processor/sample": async () => (await import("./sample.ts")).sample,
  "processor/throttle": async () => (await import("./throttle.ts")).throttle,
  "processor/parse": async () => (await import("./parse.ts")).parse,
  "processor/window": async () => (await import("./window.ts")).window,
  "processor/dedupe": async () => (await import("./dedupe.ts")).dedupe,
  "reaction/file": async () => (await import("./file_reaction.ts")).fileReaction,
  "reaction/http": async () => (await import("./http_reaction.ts")).httpReaction,
  "reaction/sse": async () => (await import("./sse.ts")).sse,
  "reaction/profiler": async () => (await import("./profiler.ts")).profiler,
  "reaction/log": async () => (await import("./log.ts")).log,
  "reaction/stdout": async () => (await import("./stdout.ts")).stdout,
  "reaction/discard": async () => (await import("./discard.ts")).discard,
  "reaction/stats": async () => (await import("./stats.ts")).stats,
};
