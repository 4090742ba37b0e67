/**
 * Renames a database, with its log, to `<name>.corrupt-<time>`, so that a new one can be made; its new path. Nothing may have
 * it open. What is in it is kept for whoever wants to look.
 */
export function setAside(path: string, now: Date = new Date()): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const aside = `${path}.corrupt-${time}`;
  // The log first: with the database gone and its log there, a new database would be read together with the old log.
  for (const suffix of ["-wal", "-shm", ""]) {
    try {
      Deno.renameSync(path + suffix, aside + suffix);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || suffix === "") throw error;
    }
  }
  return aside;
}
