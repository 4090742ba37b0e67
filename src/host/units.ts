/** A pipeline, service or hook by the id that cells know it by: services and hooks have their kind before theirs. */
export function unitName(
  id: string,
): { kind: "pipeline" | "service" | "hook"; name: string } {
  const [, kind, name] = /^(service|hook):(.*)$/.exec(id) ?? [];
  return kind === undefined ? { kind: "pipeline", name: id } : {
    kind: kind as "service" | "hook",
    name: name!,
  };
}

/** As messages name it: `service "words"`. */
export function titleOf(id: string): string {
  const { kind, name } = unitName(id);
  return `${kind} "${name}"`;
}

/** The same at the beginning of a sentence. */
export function capitalTitleOf(id: string): string {
  const title = titleOf(id);
  return title[0]!.toUpperCase() + title.slice(1);
}
