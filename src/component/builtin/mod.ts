/** The components of the plugin `builtin`; manifest.ts describes them. Each is loaded when it is used. */
import type { BuiltinFactory } from "../builtin.ts";

export const BUILTIN_FACTORIES: Record<string, () => Promise<BuiltinFactory>> = {
  generate: async () => (await import("./generate.ts")).generate,
  log: async () => (await import("./log.ts")).log,
  stdout: async () => (await import("./stdout.ts")).stdout,
  discard: async () => (await import("./discard.ts")).discard,
  stats: async () => (await import("./stats.ts")).stats,
};
