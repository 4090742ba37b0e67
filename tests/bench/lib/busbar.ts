/** How long a command of busbar may take: many times what it needs. */
const DEADLINE_MS = 120_000;

/** Runs a busbar command to its end; throws with its output where it fails. */
export async function runBusbar(binary: string, args: string[]): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const output = await busbarCommand(binary, args, signal).output();
  if (output.success) return;
  const reason = signal.aborted
    ? `not done after ${DEADLINE_MS / 1000} s`
    : `exit code ${output.code}`;
  const text = [output.stderr, output.stdout].map((bytes) => new TextDecoder().decode(bytes)).join(
    "",
  );
  throw new Error(`Cannot run "busbar ${args.join(" ")}": ${reason}\n${text}`.trimEnd());
}

/** A busbar command whose output is piped, in an environment that does not change its settings. */
export function busbarCommand(binary: string, args: string[], signal?: AbortSignal): Deno.Command {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("BUSBAR_"));
  return new Deno.Command(binary, {
    args,
    clearEnv: true,
    env: Object.fromEntries(env),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(signal && { signal }),
  });
}
