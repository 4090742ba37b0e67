import { join } from "node:path";
import { sourceDateEpoch } from "../../src/project/build_time.ts";
import { run, statOrNothing } from "./files.ts";

/** What version control knows about the sources. */
export interface SourceState {
  /** The commit, with "-dirty" behind it where tracked files differ from it; `null` outside a repository. */
  commit: string | null;
  /** The time that stands for "built at", in ISO 8601, so that two builds of one tree are the same. */
  time: string;
}

/**
 * Reads commit and time: `$SOURCE_DATE_EPOCH`, else the commit's, else 1970; `$GIT_COMMIT` stands in where there is no
 * repository, as in a container build.
 *
 * @throws {Error} where `$SOURCE_DATE_EPOCH` is not a number of seconds
 */
export async function sourceState(
  root: string,
  env: Record<string, string | undefined> = Deno.env.toObject(),
): Promise<SourceState> {
  let commit = env.GIT_COMMIT || null;
  let seconds = 0;
  // Without this check, git would answer for a repository around an unpacked archive.
  if (await statOrNothing(join(root, ".git"))) {
    const head = await run(["git", "-C", root, "log", "-1", "--format=%H %ct"]).catch(() => "");
    const [hash, time] = head.split(" ");
    if (hash) {
      const changes = await run(["git", "-C", root, "status", "--porcelain", "-uno"]);
      commit = hash + (changes ? "-dirty" : "");
      seconds = Number(time);
    }
  }
  seconds = sourceDateEpoch(env) ?? seconds;
  return { commit, time: new Date(seconds * 1000).toISOString() };
}
