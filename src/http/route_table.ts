import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";

/** Where a value is found. */
export interface Place {
  methods: readonly string[];
  /** `:name` stands for one segment, `*` at the end for any rest. */
  path: string;
}

/** Values by method and path. */
export class RouteTable<T> {
  readonly #router = new SmartRouter<T>({ routers: [new RegExpRouter(), new TrieRouter()] });
  readonly #methods = new Set<string>();

  /** @throws {Error} for a path that the router cannot do */
  constructor(entries: Iterable<readonly [Place, T]>) {
    for (const [{ methods, path }, value] of entries) {
      for (const method of methods) {
        this.#methods.add(method);
        this.#router.add(method, plainPath(path), value);
      }
    }
    // Else it would show with the first request.
    this.#router.match("GET", "/");
  }

  /** The first one that fits; what is for GET is for HEAD too. */
  find(method: string, path: string): T | undefined {
    const found = this.#first(method, path);
    return found === undefined && method === "HEAD" ? this.#first("GET", path) : found;
  }

  /** The methods that there is something for at a path. */
  methodsAt(path: string): string[] {
    return [...this.#methods].filter((method) => this.#first(method, path) !== undefined);
  }

  #first(method: string, path: string): T | undefined {
    return this.#router.match(method, plainPath(path))[0][0]?.[0];
  }
}

/** One spelling for all that RFC 3986 calls the same: letters that need no encoding without it, and hexadecimal digits in capitals. */
function plainPath(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (code) => {
    const letter = String.fromCharCode(parseInt(code.slice(1), 16));
    return /[\w.~@-]/.test(letter) ? letter : code.toUpperCase();
  });
}
