/** Service `act` of the fixture `callee`, and what tests ask of it. */
import { fixture, PLUGINS } from "../fixtures/build.ts";
import type { Busbar } from "./busbar.ts";

await fixture("callee");

/** A configuration with the service, which `act` says more about, and `rest` beside it. */
export function serviceConfig(
  act: Record<string, unknown> = {},
  rest: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    log: { format: "json" },
    plugins: { directories: [PLUGINS], watch: { enabled: false } },
    cells: { restart: { initial: "10ms" } },
    services: { act: { use: "callee/act", ...act } },
    ...rest,
  };
}

export interface ServiceAnswer {
  status: number;
  // deno-lint-ignore no-explicit-any
  body: any;
}

export function execute(busbar: Busbar, input: string, query = ""): Promise<ServiceAnswer> {
  return busbar.fetch(`/api/v1/plugins/act/execute${query}`, { method: "POST", body: input });
}
