/** A wait that can be cut short. */
export class Rest {
  #wait = Promise.withResolvers<void>();

  /** Resolves after `ms`, or when {@linkcode end} is called before. */
  async take(ms: number): Promise<void> {
    this.#wait = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#wait.resolve(), ms);
    await this.#wait.promise;
    clearTimeout(timer);
  }

  end(): void {
    this.#wait.resolve();
  }
}
