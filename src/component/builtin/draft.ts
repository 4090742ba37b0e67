type Container = Record<string, unknown> | unknown[];

/** The names of a path such as `user.name`. */
export function parsePath(text: string): string[] {
  const path = text.split(".");
  if (path.includes("__proto__")) {
    throw new Error(`Cannot use path "${text}": the name __proto__ is reserved`);
  }
  return path;
}

/** A value that is changed without touching what it was made of: what lies on the way is copied once. */
export class Draft {
  #root: unknown;
  readonly #copies = new Set<unknown>();

  constructor(value: unknown) {
    this.#root = value;
  }

  get value(): unknown {
    return this.#root;
  }

  /** Sets a member, with the maps on the way to it. Throws where something else is in the way. */
  set(path: readonly string[], value: unknown): void {
    let at = this.#root = this.#own(this.#root ?? {}, path, 0);
    for (let i = 0; i < path.length - 1; i++) {
      const name = path[i]!;
      const next = this.#own(memberOf(at, name) ?? {}, path, i + 1);
      put(at, name, next);
      at = next;
    }
    put(at, path[path.length - 1]!, value);
  }

  /** Removes a member, if there is one. */
  remove(path: readonly string[]): void {
    if (!has(this.#root, path)) return;
    let at = this.#root = this.#own(this.#root, path, 0);
    for (let i = 0; i < path.length - 1; i++) {
      const next = this.#own(memberOf(at, path[i]!), path, i + 1);
      put(at, path[i]!, next);
      at = next;
    }
    const name = path[path.length - 1]!;
    if (Array.isArray(at)) at.splice(Number(name), 1);
    else delete at[name];
  }

  /** A copy of `value` that may be changed. */
  #own(value: unknown, path: readonly string[], depth: number): Container {
    if (this.#copies.has(value)) return value as Container;
    if (!isContainer(value)) {
      const holder = depth === 0 ? "the payload" : `"${path.slice(0, depth).join(".")}"`;
      throw new Error(`Cannot set "${path.join(".")}": ${holder} is not a map`);
    }
    const copy: Container = Array.isArray(value) ? [...value] : { ...value };
    this.#copies.add(copy);
    return copy;
  }
}

function isContainer(value: unknown): value is Container {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}

function memberOf(container: unknown, name: string): unknown {
  if (!isContainer(container)) return undefined;
  if (Array.isArray(container)) return container[indexOf(container, name)];
  return Object.hasOwn(container, name) ? container[name] : undefined;
}

function has(value: unknown, path: readonly string[]): boolean {
  let at = value;
  for (const name of path) {
    at = memberOf(at, name);
    if (at === undefined) return false;
  }
  return true;
}

function put(container: Container, name: string, value: unknown): void {
  if (!Array.isArray(container)) {
    container[name] = value;
    return;
  }
  const index = indexOf(container, name);
  if (index < 0) throw new Error(`Cannot set "${name}" of a list of ${container.length}`);
  container[index] = value;
}

/** An index of a list, or the one behind its last; -1: none. */
function indexOf(list: readonly unknown[], name: string): number {
  const index = /^\d+$/.test(name) ? Number(name) : -1;
  return index <= list.length ? index : -1;
}
