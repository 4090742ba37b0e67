/** Compares what came out with what a test expects. */
import type { ConfigSource, Path } from "../config/source.ts";
import { alignInAnyOrder, alignInOrder, type Alignment } from "./align.ts";
import { differences, letterDifferences, patternSummary, summary } from "./match.ts";
import type {
  Action,
  EventPattern,
  EventsExpectation,
  Mismatch,
  Seen,
  SeenEvent,
  SeenLetter,
  TestCase,
} from "./model.ts";

/** Comparing costs the product of both sides. */
const MOST_PAIRS = 4_000_000;
const MOST_DETAILS = 40;
/** Where it is only their number that is wrong. */
const MOST_COUNTED = 10;

/** What is not as the case expects it; `steps` is what was seen, one for each of its actions but `expect`. */
export function compareCase(
  test: TestCase,
  steps: readonly Seen[],
  source: ConfigSource,
): Mismatch[] {
  const comparer = new Comparer(source);
  let since: Seen[] = [];
  let at = 0;
  let last: Path = test.path;
  for (const action of test.actions) {
    if (action.do === "expect") {
      comparer.compare(action, since);
      last = action.path;
      since = [];
    } else since.push(steps[at++] ?? { events: {}, letters: [] });
  }
  // What came after the last expectation is nobody's, but a dead letter is never what was meant.
  const letters = since.flatMap(({ letters }) => letters);
  if (letters.length > 0) comparer.unexpectedLetters(letters, last);
  return comparer.mismatches;
}

class Comparer {
  readonly mismatches: Mismatch[] = [];
  readonly #source: ConfigSource;

  constructor(source: ConfigSource) {
    this.#source = source;
  }

  compare({ expected, letters, path }: Action & { do: "expect" }, since: readonly Seen[]): void {
    for (const expectation of expected) {
      const { at } = expectation;
      const events = since.flatMap(({ events }) => events[at] ?? []);
      this.#events(expectation, events, { what: `"${at}"`, differ: differences });
    }
    const given = since.flatMap((seen) => seen.letters);
    if (letters !== undefined) {
      this.#events(letters, given, {
        what: "dead letters",
        differ: letterDifferences,
        show: letterSummary,
      });
    } else if (given.length > 0) this.unexpectedLetters(given, path);
  }

  unexpectedLetters(letters: readonly SeenLetter[], path: Path): void {
    this.#fail(path, `${counted(letters.length, "dead letter")}, none expected`, [
      ...letters.map((letter) => `+ ${letterSummary(letter)}`),
    ]);
  }

  #events<P extends EventPattern, E extends SeenEvent>(
    expectation: EventsExpectation & { events?: P[] },
    seen: readonly E[],
    about: {
      what: string;
      differ: (pattern: P, seen: E) => string[];
      show?: (seen: E) => string;
    },
  ): void {
    const { what, differ, show = summary } = about;
    const { events, count, each, path } = expectation;
    if (count !== undefined && (seen.length < count.least || seen.length > count.most)) {
      this.#fail(path, `${what}: expected ${boundsOf(count)}, got ${seen.length}`, [
        ...seen.map((event) => `+ ${show(event)}`),
      ], MOST_COUNTED);
    }
    if (each !== undefined) {
      const faults = seen.map((event, i) => ({ i, found: differ(each as P, event) }))
        .filter(({ found }) => found.length > 0);
      if (faults.length > 0) {
        const message = `${what}: ${counted(faults.length, "event")} of ${seen.length} ` +
          `${faults.length === 1 ? "is" : "are"} not as each should be`;
        this.#fail(each.path, message, [
          ...faults.flatMap(({ i, found }) => [`event ${i + 1}:`, ...found.map(indent)]),
        ]);
      }
    }
    if (events !== undefined) this.#list(expectation, { events, seen, ...about });
  }

  #list<P extends EventPattern, E extends SeenEvent>(
    { order, others, path }: EventsExpectation,
    given: {
      events: readonly P[];
      seen: readonly E[];
      what: string;
      differ: (pattern: P, seen: E) => string[];
      show?: (seen: E) => string;
    },
  ): void {
    const { events, seen, what, differ, show = summary } = given;
    if (events.length * seen.length > MOST_PAIRS) {
      const message =
        `${what}: cannot compare ${events.length} expected with ${seen.length} events`;
      return this.#fail(path, `${message}: expect a count`, []);
    }
    const matches = (i: number, j: number) => differ(events[i]!, seen[j]!).length === 0;
    const align = order === "any" ? alignInAnyOrder : alignInOrder;
    const found = align(events.length, seen.length, matches);
    if (found.missing.length === 0 && (others || found.extra.length === 0)) return;
    const changes = pairUp(found, { order, others }, (i, j) => differ(events[i]!, seen[j]!).length);
    const details: { at: number; lines: string[] }[] = changes.map(([i, j]) => ({
      at: i,
      lines: [
        `event ${i + 1}${this.#lineIn(events[i]!.path, path)}:`,
        ...differ(events[i]!, seen[j]!).map(indent),
      ],
    }));
    for (const i of found.missing.filter((i) => !changes.some(([changed]) => changed === i))) {
      const line = this.#lineIn(events[i]!.path, path);
      details.push({ at: i, lines: [`- event ${i + 1}${line}: ${patternSummary(events[i]!)}`] });
    }
    const extra = others ? [] : found.extra.filter((j) => !changes.some(([, one]) => one === j));
    details.sort((a, b) => a.at - b.at);
    const lines = [
      ...details.flatMap(({ lines }) => lines),
      ...extra.map((j) => `+ ${show(seen[j]!)}`),
    ];
    const head = events.length === seen.length
      ? `${counted(found.missing.length, "event")} of ${events.length} not as expected`
      : events.length === 0
      ? `expected nothing, got ${counted(seen.length, "event")}`
      : `expected ${others ? "at least " : ""}${
        counted(events.length, "event")
      }, got ${seen.length}`;
    this.#fail(path, `${what}: ${head}`, lines);
  }

  #lineIn(path: Path, around: Path): string {
    const own = this.#line(path);
    return own === this.#line(around) ? "" : ` (line ${own})`;
  }

  #fail(path: Path, message: string, details: string[], most = MOST_DETAILS): void {
    const place = `${this.#source.file}:${this.#line(path)}`;
    const left = details.length - most;
    const kept = left > 1 ? [...details.slice(0, most), `… and ${left} lines more`] : details;
    this.mismatches.push({ place, message, details: kept });
  }

  #line(path: Path): number {
    return this.#source.diagnostic(path, "", { at: "key" }).line ?? 1;
  }
}

/** Which missing event may be which that is there, only different: in order what comes next, else the nearest. */
function pairUp(
  { pairs, missing, extra }: Alignment,
  { order, others }: { order: "exact" | "any"; others: boolean },
  distance: (expected: number, actual: number) => number,
): [number, number][] {
  const left = [...extra];
  const take = (j: number) => left.splice(left.indexOf(j), 1);
  if (order === "exact" && !others) {
    return missing.flatMap((i): [number, number][] => {
      // Between the neighbours that are as expected.
      const low = pairs.findLast(([one]) => one < i)?.[1] ?? -1;
      const high = pairs.find(([one]) => one > i)?.[1] ?? Infinity;
      const j = left.find((j) => j > low && j < high);
      if (j === undefined) return [];
      take(j);
      return [[i, j]];
    });
  }
  return missing.flatMap((i): [number, number][] => {
    const nearest = left.toSorted((a, b) => distance(i, a) - distance(i, b))[0];
    if (nearest === undefined) return [];
    take(nearest);
    return [[i, nearest]];
  });
}

function letterSummary(letter: SeenLetter): string {
  const { component, error } = letter;
  return `${component}: ${error}: ${summary(letter)}`;
}

function boundsOf({ least, most }: { least: number; most: number }): string {
  if (least === most) return counted(least, "event");
  if (most === Infinity) return `at least ${counted(least, "event")}`;
  return least === 0 ? `at most ${counted(most, "event")}` : `${least} to ${most} events`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function indent(line: string): string {
  return `  ${line}`;
}
