import { CommandError, ExitCode } from "./exit_codes.ts";
import { findHost, type HostOptions } from "./host_client.ts";
import { printJson } from "./output.ts";

/** Options of `busbar execute`. */
export interface ExecuteOptions extends HostOptions {
  /** Seconds. */
  timeout?: number;
}

/** `busbar execute NAME [INPUT|-]`: writes the output as it is, or with `--json` what the API answers. */
export async function execute(
  name: string,
  input: string | undefined,
  options: ExecuteOptions,
): Promise<ExitCode> {
  using host = await findHost(options);
  const { timeout, json = false } = options;
  const query = timeout === undefined ? "" : `?timeout=${Math.round(timeout * 1000)}ms`;
  const response = await host.send(`/api/v1/plugins/${encodeURIComponent(name)}/execute${query}`, {
    method: "POST",
    body: await readInput(input),
    headers: {
      "Content-Type": "application/octet-stream",
      Accept: json ? "application/json" : "application/octet-stream",
    },
  });
  if (!response.ok) throw await failure(response);
  if (json) printJson(await response.json());
  else await writeAll(new Uint8Array(await response.arrayBuffer()));
  return ExitCode.OK;
}

async function readInput(input: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (input !== undefined && input !== "-") return new TextEncoder().encode(input);
  // Without an argument a terminal is not waited for.
  if (input === undefined && Deno.stdin.isTerminal()) return new Uint8Array(0);
  return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
}

async function failure(response: Response): Promise<CommandError> {
  const answer = await response.json().catch(() => undefined);
  const message = answer?.error?.message ?? `busbar answered with status ${response.status}`;
  const usage = response.status === 404 || answer?.error?.code === "SeveralServices";
  return new CommandError(usage ? ExitCode.USAGE : ExitCode.FAILURE, message);
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
