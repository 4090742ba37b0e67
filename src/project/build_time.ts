import { run } from "./files.ts";

/**
 * `$SOURCE_DATE_EPOCH`, in seconds since 1970, or `undefined` where it is not set.
 *
 * @throws {Error} where it is not a number of seconds
 */
export function sourceDateEpoch(env: Record<string, string | undefined>): number | undefined {
  const epoch = env.SOURCE_DATE_EPOCH;
  if (!epoch) return undefined;
  if (!/^\d{1,11}$/.test(epoch)) {
    throw new Error(
      `Cannot read SOURCE_DATE_EPOCH: "${epoch}" is not a number of seconds since 1970`,
    );
  }
  return Number(epoch);
}

/**
 * The time that stands for "built at", in seconds since 1970, so that two builds of the same sources are the same:
 * `$SOURCE_DATE_EPOCH`, else that of the last commit that touched the folder, else 0. Never the clock.
 */
export async function buildSeconds(
  folder: string,
  env: Record<string, string | undefined> = Deno.env.toObject(),
): Promise<number> {
  const epoch = sourceDateEpoch(env);
  if (epoch !== undefined) return epoch;
  const git = ["git", "-C", folder, "log", "-1", "--format=%ct", "--", "."];
  return Number(await run(git).catch(() => "0"));
}
