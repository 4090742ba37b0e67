/**
 * Built-in components and their native twins: what they share, and in which settings they differ. The suites `twins_*_test.ts` run
 * with each of them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { LogRecord } from "../support/busbar.ts";
import type { HttpTarget } from "./http_target.ts";

export type Implementation = "builtin" | "native";
export const IMPLEMENTATIONS: readonly Implementation[] = ["builtin", "native"];

/** What a twin works with. */
export interface Surroundings {
  /** The file that lines are written to. */
  input: string;
  /** A folder for its output. */
  out: string;
  /** A server that its requests go to. */
  target: HttpTarget;
  /** The log records of its pipeline, of all hosts so far. */
  logs(): LogRecord[];
}

/** An event as it came out. */
export interface Delivered {
  /** Undefined where what came out does not show it. */
  sequence?: number;
  text: string;
}

/** What one of the two is configured with. */
export interface Variant {
  use: string;
  config?(around: Surroundings): Record<string, unknown>;
  /** Settings that it refuses, and what its error says. */
  wrong?: { config: Record<string, unknown>; says: RegExp };
  /** What becomes of a line; undefined where it is dropped. Default: nothing changes. */
  becomes?(line: Line): string | undefined;
  /** How often it then comes out. @default 1 */
  copies?: number;
}

interface Shared {
  name: string;
  role: "source" | "processor" | "reaction";
  /** What a reaction has written. */
  read?(around: Surroundings): Promise<Delivered[]>;
  /** A reaction has each event once even after a crash. */
  once?: boolean;
  /** A reaction may lose what it has acknowledged when the host is killed. */
  fleeting?: boolean;
  /** A reaction that sends events to the target. */
  sends?: boolean;
}

/** A component under test. */
export type Twin = Shared & Variant;

/** A line of the input. One with an odd number is of the kind of an earlier one, mostly of one long before. */
export interface Line {
  n: number;
  kind: number;
  text: string;
}

export function makeLine(n: number): Line {
  const kind = n % 2 === 0 ? n : n > 30 ? n - 31 : n - 1;
  // Some are far longer than the others.
  const more = n % 13 === 5 ? { more: "x".repeat(700) } : {};
  return { n, kind, text: JSON.stringify({ n, kind, ...more }) };
}

const tail = ({ input }: Surroundings) => ({ paths: [input], rescan: "10ms", grace: "10ms" });

const withoutThrees = ({ n, text }: Line) => n % 10 === 3 ? undefined : text;

const PAIRS: readonly (Shared & Record<Implementation, Variant>)[] = [
  {
    name: "file-source",
    role: "source",
    builtin: {
      use: "builtin/file",
      config: tail,
      wrong: { config: { paths: ["x"], max_line: "1GiB" }, says: /max_line/ },
    },
    native: {
      use: "file-tail/tail",
      config: tail,
      wrong: { config: { paths: ["x"], max_line: "1GiB" }, says: /max_line/ },
    },
  },
  {
    name: "keep-or-drop",
    role: "processor",
    builtin: {
      use: "builtin/filter",
      config: () => ({ where: "payload.n % 10 != 3" }),
      becomes: withoutThrees,
      wrong: { config: { where: "payload.n +" }, says: /where/ },
    },
    native: {
      use: "regex-route/route",
      config: () => ({ rules: [{ pattern: '"n":\\d*3,', to: "drop" }] }),
      becomes: withoutThrees,
      wrong: { config: { rules: [{ pattern: "a(b", to: "drop" }] }, says: /unclosed group/ },
    },
  },
  // No siblings, but both decide by what came before, and keep that over restarts and crashes.
  {
    name: "stateful",
    role: "processor",
    builtin: {
      use: "builtin/dedupe",
      config: () => ({ key: "string(payload.kind)", window: "1h" }),
      becomes: ({ n, text }) => n % 2 === 0 ? text : undefined,
      wrong: { config: { key: "string(payload.kind" }, says: /key/ },
    },
    native: {
      use: "tally/tally",
      becomes: ({ n }) => `1 ${n + 1}`,
    },
  },
  // No siblings, but what comes out has no room in a batch as large as what went in.
  {
    name: "growing",
    role: "processor",
    builtin: {
      use: "builtin/map",
      config: () => ({ payload: "text + text + text + text + text + text + text + text" }),
      becomes: ({ text }) => text.repeat(8),
      wrong: { config: { payload: "text + tex" }, says: /Cannot .*"tex"/ },
    },
    native: { use: "probe/pass", config: () => ({ expand: 5 }), copies: 5 },
  },
  {
    name: "log",
    role: "reaction",
    fleeting: true,
    read: (around) => {
      const events = around.logs().filter(({ message }) => message === "Event");
      const fields = events.map(({ fields }) => fields as { sequence: number; payload: string });
      return Promise.resolve(
        fields.map(({ sequence, payload }) => ({ sequence, text: payload })),
      );
    },
    builtin: {
      use: "builtin/log",
      wrong: { config: { max_payload: "2KiB" }, says: /Cannot log payloads of 2048 bytes/ },
    },
    native: {
      use: "log/log",
      wrong: { config: { max_payload: "2KiB" }, says: /Cannot log payloads of 2048 bytes/ },
    },
  },
  {
    name: "file",
    role: "reaction",
    once: true,
    read: readFiles,
    builtin: {
      use: "builtin/file",
      config: ({ out }) => ({ path: join(out, "out-%i.log") }),
      wrong: { config: { path: "/tmp/%q" }, says: /"%q" is none of/ },
    },
    native: {
      use: "gzip-archive/archive",
      config: ({ out }) => ({ directory: out }),
      wrong: { config: { directory: "/dev/null/x" }, says: /\/dev\/null\/x/ },
    },
  },
  {
    name: "http",
    role: "reaction",
    sends: true,
    read: ({ target }) => Promise.resolve(target.received.map((text) => ({ text }))),
    builtin: {
      use: "builtin/http",
      config: ({ target }) => ({ url: target.url }),
      wrong: { config: { url: "http://a/", method: "FETCH" }, says: /method/ },
    },
    native: {
      use: "http-push/push",
      config: ({ target }) => ({
        url: target.url,
        format: "lines",
        backoff_initial: "1ms",
        backoff_max: "2ms",
        attempts: 1000,
      }),
      wrong: { config: { url: "ftp://a/" }, says: /url/ },
    },
  },
];

/** A component, or a whole pipeline that ends with it, as a test has it in its busbar. */
export interface Subject {
  /** Of its pipeline. */
  id: string;
  twin: Twin;
  /** What a whole pipeline has before its reaction. */
  before?: { source: Twin; processor: Twin };
}

/** All components of one implementation, and a pipeline of them. */
export function subjects(implementation: Implementation): Subject[] {
  const twins = PAIRS.map(({ name }) => ({ id: name, twin: twinOf(name, implementation) }));
  return [...twins, whole(implementation, implementation)];
}

/** Pipelines wholly of one kind, and with the kinds mixed. */
export function wholes(): Subject[] {
  return IMPLEMENTATIONS.flatMap((first) => IMPLEMENTATIONS.map((rest) => whole(first, rest)));
}

function whole(first: Implementation, rest: Implementation): Subject {
  return {
    id: `whole-${first}-${rest}`,
    twin: twinOf("file", rest),
    before: {
      source: twinOf("file-source", first),
      processor: twinOf("keep-or-drop", rest),
    },
  };
}

function twinOf(name: string, implementation: Implementation): Twin {
  const pair = PAIRS.find((one) => one.name === name);
  assert.ok(pair, name);
  const { builtin, native, ...shared } = pair;
  return { ...shared, ...(implementation === "builtin" ? builtin : native) };
}

/** Lines of all files in the folder, plain and compressed. */
async function readFiles({ out }: Surroundings): Promise<Delivered[]> {
  const names = [...Deno.readDirSync(out)].map(({ name }) => name)
    .filter((name) => /\.(log|gz|gz\.part)$/.test(name)).sort();
  const texts = await Promise.all(names.map(async (name) => {
    const bytes = await Deno.readFile(join(out, name));
    const isPlain = name.endsWith(".log") || bytes.length === 0;
    return new TextDecoder().decode(isPlain ? bytes : gunzipSync(bytes));
  }));
  const text = texts.join("");
  assert.ok(text === "" || text.endsWith("\n"), `the last line in ${out} is cut`);
  return text.split("\n").slice(0, -1).map((text) => ({ text }));
}
