/** Reads the cases of a test file. */
import { formatPath, type Path } from "../config/source.ts";
import type {
  Action,
  EventPattern,
  EventsExpectation,
  Expectation,
  GivenEvent,
  LetterExpectation,
  TestCase,
} from "./model.ts";
import { readGiven, readLetterPattern, readPattern } from "./read_events.ts";
import { isTree, type Tree, type TreeReader } from "./tree_reader.ts";

/** Where the clock of a test starts that does not say so. */
const DEFAULT_START = Date.UTC(2026, 0, 1);
const STEP_KEYS = ["input", "advance", "end", "expect"];
const CASE_KEYS = ["name", "pipeline", "time", "steps", ...STEP_KEYS];
const EXPECTATION_KEYS = ["events", "order", "others", "count", "each"];
const LETTERS = "dead_letters";

/** The cases of the list `tests`; faults are with the reader. */
export function readTests(reader: TreeReader, value: unknown, path: Path): TestCase[] {
  const list = reader.list(value, path) ?? [];
  const cases: TestCase[] = [];
  for (const [index, entry] of list.entries()) {
    const found = readCase(reader, entry, [...path, index]);
    if (found === undefined) continue;
    if (cases.some(({ name }) => name === found.name)) {
      reader.fault([...path, index, "name"], `Duplicate test "${found.name}"`);
    } else cases.push(found);
  }
  return cases;
}

function readCase(reader: TreeReader, value: unknown, path: Path): TestCase | undefined {
  const tree = reader.group(value, path, CASE_KEYS);
  if (tree === undefined) return undefined;
  const name = "name" in tree
    ? reader.text(tree["name"], [...path, "name"])
    : reader.fault([...path, "name"], `Missing "name" in ${formatPath(path)}`);
  const found: TestCase = { name: name ?? "", path, startsAt: DEFAULT_START, actions: [] };
  if ("pipeline" in tree) {
    found.pipeline = reader.text(tree["pipeline"], [...path, "pipeline"]) ?? "";
  }
  if ("time" in tree) {
    const time = reader.time(tree["time"], [...path, "time"]) ?? 0n;
    found.startsAt = Number(time / 1_000_000n);
  }
  if ("steps" in tree) {
    for (const key of STEP_KEYS) {
      if (key in tree) {
        reader.fault([...path, key], `Cannot give both steps and ${key}: make it a step`, {
          at: "key",
        });
      }
    }
    for (const [index, step] of (reader.list(tree["steps"], [...path, "steps"]) ?? []).entries()) {
      const where = [...path, "steps", index];
      const group = reader.group(step, where, STEP_KEYS);
      if (group === undefined) continue;
      const ended = found.actions.some((action) => action.do === "end");
      const late = ended && STEP_KEYS.find((key) => key !== "expect" && key in group);
      if (late) {
        reader.fault([...where, late], `Cannot have ${late} after the end`, { at: "key" });
      }
      found.actions.push(...readStep(reader, group, where));
    }
  } else found.actions.push(...readStep(reader, tree, path));
  if (name !== undefined && !found.actions.some((action) => action.do === "expect")) {
    reader.fault(path, `Missing "expect" in ${formatPath(path)}: the test expects nothing`);
  }
  return found;
}

/** What a step does, in the order of its keys' meaning: input, advance, end, expect. */
function readStep(reader: TreeReader, tree: Tree, path: Path): Action[] {
  const actions: Action[] = [];
  if ("input" in tree) actions.push(...readInput(reader, tree["input"], [...path, "input"]));
  if ("advance" in tree) {
    const ms = reader.duration(tree["advance"], [...path, "advance"]) ?? 0;
    actions.push({ do: "advance", ms });
  }
  if ("end" in tree && reader.bool(tree["end"], [...path, "end"]) === true) {
    actions.push({ do: "end" });
  }
  if ("expect" in tree) actions.push(...readExpect(reader, tree["expect"], [...path, "expect"]));
  return actions;
}

function readInput(reader: TreeReader, value: unknown, path: Path): Action[] {
  if (!isTree(value)) return reader.expected(path, "components with their events", value) ?? [];
  return Object.entries(value).flatMap(([at, list]) => {
    const where = [...path, at];
    const actions: Action[] = [];
    let events: GivenEvent[] | undefined;
    for (const [index, entry] of (reader.list(list, where) ?? []).entries()) {
      const place = [...where, index];
      if (isTree(entry) && "advance" in entry) {
        const group = reader.group(entry, place, ["advance"]);
        const ms = reader.duration(group?.["advance"], [...place, "advance"]) ?? 0;
        actions.push({ do: "advance", ms });
        events = undefined;
        continue;
      }
      const event = readGiven(reader, entry, place);
      if (event === undefined) continue;
      if (events === undefined) {
        events = [];
        actions.push({ do: "input", at, events, path: where });
      }
      events.push(event);
    }
    return actions;
  });
}

function readExpect(reader: TreeReader, value: unknown, path: Path): Action[] {
  if (!isTree(value)) return reader.expected(path, "components with their events", value) ?? [];
  const expected: Expectation[] = [];
  let letters: LetterExpectation | undefined;
  for (const [at, entry] of Object.entries(value)) {
    const where = [...path, at];
    if (at === LETTERS) {
      letters = readEvents(reader, entry, { path: where, read: readLetterPattern });
    } else {
      const events = readEvents(reader, entry, { path: where, read: readPattern });
      if (events !== undefined) expected.push({ at, ...events });
    }
  }
  return [{ do: "expect", expected, letters, path }];
}

function readEvents<P extends EventPattern>(
  reader: TreeReader,
  value: unknown,
  { path, read }: {
    path: Path;
    read: (reader: TreeReader, value: unknown, path: Path) => P | undefined;
  },
): (EventsExpectation & { events?: P[] }) | undefined {
  const patterns = (value: unknown, path: Path): P[] =>
    (reader.list(value, path) ?? []).flatMap((entry, index) =>
      read(reader, entry, [...path, index]) ?? []
    );
  const plain = { path, order: "exact", others: false } as const;
  if (value === "nothing") return { ...plain, events: [] };
  if (Array.isArray(value)) return { ...plain, events: patterns(value, path) };
  if (!isTree(value)) {
    return reader.expected(path, 'a list of events, "nothing" or a group of settings', value);
  }
  const tree = reader.group(value, path, EXPECTATION_KEYS);
  if (tree === undefined) return undefined;
  const found: EventsExpectation & { events?: P[] } = { ...plain };
  if ("events" in tree) found.events = patterns(tree["events"], [...path, "events"]);
  if ("order" in tree) {
    const order = reader.oneOf(tree["order"], [...path, "order"], ["exact", "any"]);
    found.order = order === "any" ? "any" : "exact";
  }
  if ("others" in tree) {
    found.others = reader.bool(tree["others"], [...path, "others"]) ?? false;
  }
  if ("count" in tree) {
    const count = readCount(reader, tree["count"], [...path, "count"]);
    if (count !== undefined) found.count = count;
  }
  if ("each" in tree) {
    const each = read(reader, tree["each"], [...path, "each"]);
    if (each !== undefined) found.each = each;
  }
  if (!["events", "count", "each"].some((key) => key in tree)) {
    return reader.fault(path, `Missing one of events, count and each in ${formatPath(path)}`, {
      at: "key",
    });
  }
  return found;
}

function readCount(
  reader: TreeReader,
  value: unknown,
  path: Path,
): { least: number; most: number } | undefined {
  if (!isTree(value)) {
    const count = reader.whole(value, path);
    return count === undefined ? undefined : { least: count, most: count };
  }
  const tree = reader.group(value, path, ["least", "most"]);
  const bound = (key: string, fallback: number) =>
    tree !== undefined && key in tree
      ? reader.whole(tree[key], [...path, key]) ?? fallback
      : fallback;
  const count = { least: bound("least", 0), most: bound("most", Infinity) };
  if (count.least <= count.most) return count;
  return reader.fault(
    [...path, "most"],
    `Cannot have at most ${count.most} and at least ${count.least}`,
  );
}
