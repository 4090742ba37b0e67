/**
 * Says from the raw files of a soak run alone whether anything was lost, came twice or came out of order:
 *
 *   deno run -A tests/soak/verify.ts DIR
 *
 * prints a verdict as JSON and ends with 1 when it is not clean. It knows nothing of busbar, and imports nothing of it.
 */
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Expectation, Verdict } from "./lib/expectation.ts";

const SHOWN = 10;

/** How often each number came. */
class Tally {
  #counts = new Uint8Array(1024);
  /** The largest that came. */
  max = 0;

  add(number: number): void {
    if (number >= this.#counts.length) {
      const grown = new Uint8Array(Math.max(number + 1, this.#counts.length * 2));
      grown.set(this.#counts);
      this.#counts = grown;
    }
    if (this.#counts[number]! < 255) this.#counts[number]!++;
    if (number > this.max) this.max = number;
  }

  has(number: number): boolean {
    return number < this.#counts.length && this.#counts[number]! > 0;
  }

  /** Those that came, in order. */
  *numbers(): Generator<number> {
    for (let number = 1; number <= this.max; number++) if (this.has(number)) yield number;
  }
}

/** What one source gave: what must arrive, and what may. */
interface Given {
  required: Tally;
  allowed: Tally;
  replayable: boolean;
}

/** Collects what is wrong. */
class Findings implements Verdict {
  events = 0;
  lost = 0;
  duplicates = 0;
  reordered = 0;
  readonly problems: string[] = [];
  readonly #shown = new Map<string, number>();

  note(kind: "lost" | "duplicates" | "reordered", problem: string, count = 1): void {
    this[kind] += count;
    const shown = this.#shown.get(kind) ?? 0;
    this.#shown.set(kind, shown + 1);
    if (shown < SHOWN) this.problems.push(`${kind}: ${problem}`);
  }
}

/** Reads the raw files of one run and judges them. */
export async function verify(folder: string): Promise<Verdict> {
  const expected: Expectation = JSON.parse(await Deno.readTextFile(join(folder, "expect.json")));
  const findings = new Findings();
  const given = new Map<string, Given>();
  for (const [name, kind] of Object.entries(expected.sources)) {
    const source = kind === "replayable"
      ? await readEmitted(folder, name)
      : await readAcknowledged(folder, name);
    given.set(name, source);
    for (const _ of source.required.numbers()) findings.events++;
  }
  for (const [name, { sources, ordered }] of Object.entries(expected.sinks)) {
    const file = join(folder, `durable.${name}.log`);
    const sink = new SinkCheck(name, { given, findings, ordered, once: false });
    for await (const line of lines(file)) sink.read(line);
    sink.finish(sources);
  }
  const archive = new SinkCheck("archive", { given, findings, ordered: true, once: true });
  for await (const line of segments(join(folder, expected.archive.folder))) archive.read(line);
  archive.finish(expected.archive.sources);
  await checkWindows(folder, { windows: expected.windows, given, findings });
  const { events, lost, duplicates, reordered, problems } = findings;
  return { events, lost, duplicates, reordered, problems };
}

async function readEmitted(folder: string, name: string): Promise<Given> {
  const emitted = new Tally();
  for await (const line of lines(join(folder, `emitted.${name}.log`))) emitted.add(Number(line));
  return { required: emitted, allowed: emitted, replayable: true };
}

async function readAcknowledged(folder: string, name: string): Promise<Given> {
  const required = new Tally();
  const allowed = new Tally();
  for await (const line of lines(join(folder, `sent.${name}.log`))) allowed.add(Number(line));
  for await (const line of lines(join(folder, `acknowledged.${name}.log`))) {
    const [first, last] = line.split(" ").map(Number) as [number, number];
    for (let number = first; number <= last; number++) required.add(number);
  }
  return { required, allowed, replayable: false };
}

/** Judges the lines `<source> <number> <sequence>` of one place, the sequence being left out where it is not known. */
class SinkCheck {
  readonly #name: string;
  readonly #options: SinkOptions;
  readonly #seen = new Map<string, Tally>();

  constructor(name: string, options: SinkOptions) {
    this.#name = name;
    this.#options = options;
  }

  read(line: string): void {
    const { given, findings, ordered, once } = this.#options;
    const [source = "", text, sequence] = line.split(" ");
    const number = Number(text);
    const known = given.get(source);
    if (known === undefined || !known.allowed.has(number)) {
      return findings.note("duplicates", `${this.#name} has "${line}", which nobody gave`);
    }
    let seen = this.#seen.get(source);
    if (seen === undefined) this.#seen.set(source, seen = new Tally());
    if (seen.has(number)) {
      if (once) findings.note("duplicates", `${this.#name} has "${line}" again`);
    } else if (ordered && number < seen.max) {
      findings.note("reordered", `${this.#name} has "${line}" first after ${seen.max}`);
    }
    if (known.replayable && sequence !== undefined && Number(sequence) !== number) {
      findings.note("reordered", `${this.#name} has "${line}": another sequence`);
    }
    seen.add(number);
  }

  /** After the last line: what of these sources is missing. */
  finish(sources: string[]): void {
    const { given, findings } = this.#options;
    for (const source of sources) {
      const seen = this.#seen.get(source);
      for (const number of given.get(source)!.required.numbers()) {
        if (!seen?.has(number)) findings.note("lost", `${this.#name} lacks "${source} ${number}"`);
      }
    }
  }
}

interface SinkOptions {
  given: Map<string, Given>;
  findings: Findings;
  ordered: boolean;
  once: boolean;
}

/** Every whole window must be there, and each that is must have counted every number exactly once. */
async function checkWindows(
  folder: string,
  { windows: { sink, size, sources }, given, findings }: {
    windows: Expectation["windows"];
    given: Map<string, Given>;
    findings: Findings;
  },
): Promise<void> {
  const seen = new Map(sources.map((source) => [source, new Tally()]));
  for await (const line of lines(join(folder, `durable.${sink}.log`))) {
    const [source = "", ...numbers] = line.split(" ");
    const [window, count, sum] = numbers.map(Number) as [number, number, number];
    seen.get(source)?.add(window + 1);
    const right = size * window * size + size * (size + 1) / 2;
    const what = `window "${line}" is wrong: ${size} numbers, in all ${right}, belong in it`;
    if (count < size) findings.note("lost", what, size - count);
    if (count > size) findings.note("duplicates", what, count - size);
    if (count === size && sum !== right) findings.note("lost", what);
  }
  for (const source of sources) {
    const whole = Math.floor(given.get(source)!.required.max / size);
    for (let window = 0; window < whole; window++) {
      if (seen.get(source)!.has(window + 1)) continue;
      findings.note("lost", `window ${window} of "${source}" is missing`, size);
    }
  }
}

/** The lines of all segments, in the order of their numbers; those set aside (`.cut`) are not read. */
async function* segments(folder: string): AsyncGenerator<string> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (/-\d+\.gz(\.part)?$/.test(name)) names.push(name);
  }
  const number = (name: string) => Number(/-(\d+)\.gz/.exec(name)![1]);
  for (const name of names.sort((a, b) => number(a) - number(b))) {
    const bytes = await Deno.readFile(join(folder, name));
    if (bytes.length === 0) continue;
    const text = new TextDecoder().decode(gunzipSync(bytes));
    yield* text.split("\n").slice(0, -1);
  }
}

/** The whole lines of a file; what stands behind the last line break was torn by a kill and was never told to anyone. */
async function* lines(path: string): AsyncGenerator<string> {
  using file = await Deno.open(path);
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of file.readable) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

if (import.meta.main) {
  const verdict = await verify(Deno.args[0]!);
  console.log(JSON.stringify(verdict));
  const { lost, duplicates, reordered } = verdict;
  if (lost + duplicates + reordered > 0) Deno.exit(1);
}
