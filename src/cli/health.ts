import { CommandError, ExitCode } from "./exit_codes.ts";
import { printFields, printJson } from "./output.ts";
import type { HealthOptions } from "./program.ts";

const DEFAULT_URL = "http://127.0.0.1:7700";
const TIMEOUT_MS = 2_500;

/** What an endpoint answered. */
interface Answer {
  ok: boolean;
  message: string;
}

/** `busbar health`: 0 when the host lives and every enabled pipeline runs. */
export async function health({ url, json }: HealthOptions): Promise<ExitCode> {
  const base = url ?? (Deno.env.get("BUSBAR_URL") || DEFAULT_URL);
  if (!URL.canParse(base) || !/^https?:/.test(base)) {
    throw new CommandError(
      ExitCode.USAGE,
      `Cannot read URL "${base}": expected one such as ${DEFAULT_URL}`,
    );
  }
  const [alive, ready] = await Promise.all([ask(base, "healthz"), ask(base, "readyz")]);
  const ok = alive.ok && ready.ok;
  if (json) printJson({ ok, url: base, alive, ready });
  else printFields([["url", base], ["alive", alive.message], ["ready", ready.message]]);
  return ok ? ExitCode.OK : ExitCode.FAILURE;
}

async function ask(base: string, path: string): Promise<Answer> {
  try {
    const response = await fetch(new URL(path, `${base.replace(/\/$/, "")}/`), {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "error",
    });
    const body = await response.json() as { status?: string; error?: { message?: string } };
    const message = body.error?.message ?? body.status ?? `status ${response.status}`;
    return { ok: response.ok, message };
  } catch (error) {
    return { ok: false, message: `no answer: ${(error as Error).message}` };
  }
}
