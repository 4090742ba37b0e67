/** What is watched, and what is done about it. */
export interface FolderWatcherOptions {
  /** The folders to listen at now, without those in them. Ones that are not there are tried again at every scan. */
  folders: () => Iterable<string>;
  /** Between two scans at the latest, in ms. */
  intervalMs: number;
  /** Time after a change before a scan, in ms. */
  debounceMs: number;
  /** Looks for changes. True: something is under way, look again after the quiet time. Must not throw. */
  scan: () => Promise<boolean>;
}

/**
 * Scans folders after changes in them, and regularly, since the system may say nothing: network disks have no messages, a
 * queue of 16 overflows, and a folder that is replaced takes its watch away with it.
 */
export class FolderWatcher implements AsyncDisposable {
  readonly #options: FolderWatcherOptions;
  #watch: { watcher: Deno.FsWatcher; of: string } | undefined;
  #timer: number | undefined;
  #interval: number;
  #scanning: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: FolderWatcherOptions) {
    this.#options = options;
    this.#listen();
    this.#interval = setInterval(() => this.#scan(), options.intervalMs);
  }

  /** Scans after the quiet time, which does not start anew: what is never quiet must be scanned as well. */
  soon(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#scan(), this.#options.debounceMs);
  }

  /** Ends it. Resolves when no scan is under way any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#interval);
    this.#watch?.watcher.close();
    await this.#scanning;
  }

  #scan(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#scanning = this.#scanning.then(async () => {
      if (this.#closed) return;
      // Before the scan, so that nothing falls between them.
      this.#listen();
      if (await this.#options.scan()) this.soon();
    });
  }

  /** Listens at the folders that are there now, unless it does so already. */
  #listen(): void {
    const places = [...this.#options.folders()].flatMap((path) => {
      const id = identityOf(path);
      return id === undefined ? [] : [{ path, id }];
    });
    const of = JSON.stringify(places);
    if (this.#watch?.of === of) return;
    this.#watch?.watcher.close();
    this.#watch = undefined;
    if (places.length === 0) return;
    try {
      const watcher = Deno.watchFs(places.map(({ path }) => path), { recursive: false });
      this.#watch = { watcher, of };
      void this.#follow(watcher);
    } catch {
      // No more watches to be had, or a folder went away just now: the regular scans remain.
    }
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      // Reading is no change: scans would call for scans.
      for await (const { kind } of watcher) if (kind !== "access") this.soon();
    } catch {
      // The regular scans remain.
    }
  }
}

/** Tells a folder from another one that took its place; undefined when it is not there. */
function identityOf(path: string): string | undefined {
  try {
    const { dev, ino, isDirectory } = Deno.statSync(path);
    return isDirectory ? `${dev}:${ino}` : undefined;
  } catch {
    return undefined;
  }
}
