/** What the tests of `busbar test` have in common. */
import { join } from "node:path";
import { type BusbarOutput, runBusbar } from "../support/busbar.ts";

/** Runs `body` in a folder with these files. */
export async function withFiles(
  files: Record<string, string>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_config_tests_" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text);
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export async function test(cwd: string, ...args: string[]): Promise<BusbarOutput> {
  return await runBusbar(["test", ...args], { cwd });
}

/** What was printed, without what differs from run to run. */
export function steady(output: BusbarOutput): string {
  return output.stdout.replace(/\(\d+ ms\)/g, "(… ms)").replace(/thread \d+/g, "thread …");
}

export const WEB = `
pipelines:
  web:
    sources:
      access: { use: builtin/generate }
      more: { use: builtin/generate }
    processors:
      errors: { use: builtin/filter, from: [access, more], config: { where: payload.status >= 500 } }
      sums:
        use: builtin/window
        from: errors
        config:
          size: 1m
          time: processing
          aggregates: { n: { count: "true" } }
      sessions:
        use: builtin/window
        from: access
        config:
          size: 10s
          lateness: 2s
          aggregates: { n: { count: "true" } }
    reactions:
      alerts: { use: builtin/stdout, from: errors }
      totals: { use: builtin/discard, from: sums }
      seen: { use: builtin/discard, from: sessions }
`;
