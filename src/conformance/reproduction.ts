import type { Check } from "./report.ts";

/** A command line that runs one check alone, as it was run. */
export function reproduction(
  plugin: string,
  check: Check,
  options: { seed: number; component: string | undefined; fixtures?: string },
): string {
  const { seed, component, fixtures } = options;
  return [
    "busbar plugin test",
    quote(plugin),
    `--check ${quote(check.name)}`,
    ...(component === undefined ? [] : [`--component ${quote(component)}`]),
    `--seed ${seed}`,
    ...(fixtures === undefined ? [] : [`--fixtures ${quote(fixtures)}`]),
  ].join(" ");
}

/** A word for a shell. */
function quote(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
