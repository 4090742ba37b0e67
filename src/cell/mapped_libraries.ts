/** A library in this process's memory. */
export interface MappedLibrary {
  path: string;
  /** First address, and the first behind it. */
  start: bigint;
  end: bigint;
}

/** The libraries under one of the `prefixes` that are loaded now, from the kernel's list of mappings. */
export function mappedLibraries(prefixes: readonly string[]): MappedLibrary[] {
  const libraries = new Map<string, MappedLibrary>();
  for (const line of Deno.readTextFileSync("/proc/self/maps").split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ +(\/.*)$/.exec(line);
    if (match === null) continue;
    const path = match[3]!;
    if (!prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))) continue;
    const start = BigInt(`0x${match[1]}`);
    const end = BigInt(`0x${match[2]}`);
    const known = libraries.get(path);
    // The mappings of a file lie in ascending order.
    if (known === undefined) libraries.set(path, { path, start, end });
    else known.end = end;
  }
  return [...libraries.values()];
}
