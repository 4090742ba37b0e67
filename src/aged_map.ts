/**
 * A map that tells its oldest key at once, however many were deleted. With a plain `Map`, the first of `keys()` takes a step
 * for each key that was deleted before it.
 */
export class AgedMap<V> extends Map<string, V> {
  /** Everything before it was deleted. */
  #keys = this.keys();
  #oldest: string | undefined;

  /** The key that was set first of those that are there; setting one anew does not change its age, unless it was deleted. */
  get oldest(): string | undefined {
    if (this.#oldest === undefined && this.size > 0) {
      let next = this.#keys.next();
      if (next.done) next = (this.#keys = this.keys()).next();
      this.#oldest = next.value;
    }
    return this.#oldest;
  }

  override delete(key: string): boolean {
    if (key === this.#oldest) this.#oldest = undefined;
    return super.delete(key);
  }

  override clear(): void {
    super.clear();
    this.#oldest = undefined;
  }
}
