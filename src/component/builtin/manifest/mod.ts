/**
 * The entries of the manifest by kind and name, a line each: `scripts/build --builtins` leaves out those of the components
 * that are not wanted.
 */
export { GENERATE as "source/generate" } from "./generate.ts";
export { HTTP_SOURCE as "source/http" } from "./http_source.ts";
export { CRON as "source/cron" } from "./cron.ts";
export { FILE_SOURCE as "source/file" } from "./file_source.ts";
export { STDIN as "source/stdin" } from "./stdin.ts";
export { FILTER as "processor/filter" } from "./filter.ts";
export { MAP as "processor/map" } from "./map.ts";
export { ROUTE as "processor/route" } from "./route.ts";
export { SAMPLE as "processor/sample" } from "./sample.ts";
export { THROTTLE as "processor/throttle" } from "./throttle.ts";
export { PARSE as "processor/parse" } from "./parse.ts";
export { WINDOW as "processor/window" } from "./window.ts";
export { DEDUPE as "processor/dedupe" } from "./dedupe.ts";
export { FILE_REACTION as "reaction/file" } from "./file_reaction.ts";
export { HTTP_REACTION as "reaction/http" } from "./http_reaction.ts";
export { SSE as "reaction/sse" } from "./sse.ts";
export { PROFILER as "reaction/profiler" } from "./profiler.ts";
export { LOG as "reaction/log" } from "./log.ts";
export { STDOUT as "reaction/stdout" } from "./stdout.ts";
export { DISCARD as "reaction/discard" } from "./discard.ts";
export { STATS as "reaction/stats" } from "./stats.ts";
export { AUTH as "hook/auth" } from "./hooks.ts";
export { CORS as "hook/cors" } from "./hooks.ts";
export { RATE_LIMIT as "hook/rate-limit" } from "./hooks.ts";
