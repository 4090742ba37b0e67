/** What the functions of `window` keep of one window. */
import { createHash } from "node:crypto";
import { parseJson } from "../../expression/payloads.ts";
import { type SavedSketch, Sketch } from "./window_sketch.ts";

const LONGEST_VALUE = 64;
/** Characters that a list may have: what it is part of has to fit into a batch. */
const LONGEST_LIST = 2 ** 20;

export interface Accumulator {
  /** @param at the event's time, in milliseconds */
  add(value: unknown, at: number): void;
  /** JSON of what it comes to. */
  json(): string;
  /** The same for `having`. */
  value(): unknown;
  /** Whether there was more than its limit. */
  readonly truncated?: boolean;
  save(): unknown;
  restore(saved: unknown): void;
}

export class Count implements Accumulator {
  #count = 0;

  add(value: unknown): void {
    if (value === true) this.#count++;
  }

  json(): string {
    return String(this.#count);
  }

  value(): number {
    return this.#count;
  }

  save(): unknown {
    return this.#count;
  }

  restore(saved: unknown): void {
    this.#count = saved as number;
  }
}

/** A number that is made of the one before and that of the event: sum, least, most. */
export class Combined implements Accumulator {
  readonly #combine: (a: number, b: number) => number;
  #result = NaN;
  #empty = true;

  constructor(combine: (a: number, b: number) => number) {
    this.#combine = combine;
  }

  add(value: unknown): void {
    this.#result = this.#empty ? value as number : this.#combine(this.#result, value as number);
    this.#empty = false;
  }

  json(): string {
    return JSON.stringify(this.#result);
  }

  value(): number {
    return this.#result;
  }

  save(): unknown {
    return plain(this.#result);
  }

  restore(saved: unknown): void {
    this.#result = Number(saved);
    this.#empty = false;
  }
}

export class Average implements Accumulator {
  #sum = 0;
  #count = 0;

  add(value: unknown): void {
    this.#sum += value as number;
    this.#count++;
  }

  json(): string {
    return JSON.stringify(this.value());
  }

  value(): number {
    return this.#sum / this.#count;
  }

  save(): unknown {
    return [plain(this.#sum), this.#count];
  }

  restore(saved: unknown): void {
    const [sum, count] = saved as [number | string, number];
    this.#sum = Number(sum);
    this.#count = count;
  }
}

export class Percentile implements Accumulator {
  readonly #percent: number;
  readonly #sketch = new Sketch();

  constructor(percent: number) {
    this.#percent = percent;
  }

  add(value: unknown): void {
    this.#sketch.add(value as number);
  }

  json(): string {
    return JSON.stringify(this.value());
  }

  value(): number {
    return this.#sketch.percentile(this.#percent);
  }

  save(): unknown {
    return this.#sketch.save();
  }

  restore(saved: unknown): void {
    this.#sketch.restore(saved as SavedSketch);
  }
}

/** JSON of the event whose time is better than that of those before it. */
export class Chosen implements Accumulator {
  readonly #isBetter: (at: number, best: number) => boolean;
  #best = NaN;
  #json = "null";

  constructor(isBetter: (at: number, best: number) => boolean) {
    this.#isBetter = isBetter;
  }

  add(value: unknown, at: number): void {
    if (!Number.isNaN(this.#best) && !this.#isBetter(at, this.#best)) return;
    this.#best = at;
    this.#json = value as string;
  }

  json(): string {
    return this.#json;
  }

  value(): unknown {
    return parseJson(this.#json);
  }

  save(): unknown {
    return [this.#best, this.#json];
  }

  restore(saved: unknown): void {
    [this.#best, this.#json] = saved as [number, string];
  }
}

export class Distinct implements Accumulator {
  readonly #limit: number;
  #seen = new Set<string>();
  #truncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  add(value: unknown): void {
    const text = short(value as string);
    if (this.#seen.size < this.#limit) this.#seen.add(text);
    else if (!this.#seen.has(text)) this.#truncated = true;
  }

  json(): string {
    return String(this.#seen.size);
  }

  value(): number {
    return this.#seen.size;
  }

  save(): unknown {
    return [this.#truncated, ...this.#seen];
  }

  restore(saved: unknown): void {
    const [truncated, ...seen] = saved as [boolean, ...string[]];
    this.#truncated = truncated;
    this.#seen = new Set(seen);
  }
}

export class List implements Accumulator {
  readonly #limit: number;
  #items: string[] = [];
  #length = 0;
  #truncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get truncated(): boolean {
    return this.#truncated;
  }

  add(value: unknown): void {
    const json = value as string;
    this.#truncated ||= this.#items.length === this.#limit ||
      this.#length + json.length > LONGEST_LIST;
    if (this.#truncated) return;
    this.#items.push(json);
    this.#length += json.length;
  }

  json(): string {
    return `[${this.#items.join(",")}]`;
  }

  value(): unknown[] {
    return this.#items.map(parseJson);
  }

  save(): unknown {
    return [this.#truncated, ...this.#items];
  }

  restore(saved: unknown): void {
    const [truncated, ...items] = saved as [boolean, ...string[]];
    this.#truncated = truncated;
    this.#items = items;
    this.#length = items.reduce((sum, json) => sum + json.length, 0);
  }
}

/** JSON of a value, or a digest in its place; no JSON begins with #. */
function short(json: string): string {
  if (json.length <= LONGEST_VALUE) return json;
  return `#${createHash("sha256").update(json).digest("base64")}`;
}

/** A number as JSON can hold it. */
function plain(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
