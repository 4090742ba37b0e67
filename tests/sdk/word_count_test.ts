/** The word counters of all SDKs are one processor: the same words, counts and order, also over a stop and a crash. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { Busbar, busbarCommand, runBusbar, waitFor, writeConfig } from "../support/busbar.ts";
import { PROJECT, withFolder } from "../support/c_program.ts";

const LANGUAGES = ["c", "cpp", "rust", "go"];
const LINES = 6000;

/** A count that was emitted: a line of `builtin/stdout`. */
interface Emitted {
  key: string;
  operation: string;
  sequence: number;
  payload: { count: number };
}

/** Lines of words, the same ones every time; some are frequent, some have letters beyond ASCII. */
function lines(from: number, to: number): string {
  let state = from + 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const word = () => {
    const number = random(random(2) === 0 ? 10 : 3000);
    return ["w", "Word", "don't", "grün", "日本", "ÀB"][number % 6]! + number;
  };
  const glue = [" ", ", ", "\t", " -- ", ".", "; "];
  let text = "";
  for (let line = from; line < to; line++) {
    for (let i = random(12); i > 0; i--) text += word() + glue[random(glue.length)]!;
    text += "\n";
  }
  return text;
}

/** What the processors must count. */
function countWords(text: string, { minLength = 1, caseSensitive = false } = {}) {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(/[a-zA-Z0-9'\u0080-\u{10ffff}]+/gu)) {
    if (new TextEncoder().encode(word).length < minLength) continue;
    const key = caseSensitive ? word : word.replace(/[A-Z]+/g, (upper) => upper.toLowerCase());
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function emittedIn(stdout: string): Emitted[] {
  // A crash may have cut the last line off.
  return stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Emitted);
}

/** The last count of each word. */
function lastCounts(emitted: Emitted[]): Map<string, number> {
  return new Map(emitted.map(({ key, payload }) => [key, payload.count]));
}

function sorted(counts: Map<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1);
}

/** Writes a configuration that counts the words of `part_*.txt` in the folder. */
async function prepare(
  plugin: { directory: string; name: string },
  folder: string,
  settings: Record<string, unknown> = {},
): Promise<string> {
  return await writeConfig(folder, {
    plugins: { directories: [join(PROJECT, "dist/plugins"), plugin.directory] },
    pipelines: {
      words: {
        checkpoint_interval: "100ms",
        sources: {
          lines: { use: "file-tail/tail", config: { paths: [join(folder, "part_*.txt")] } },
        },
        processors: { count: { use: `${plugin.name}/count`, from: "lines", config: settings } },
        reactions: { out: { use: "builtin/stdout", from: "count" } },
      },
    },
  });
}

/** Behind `run`: the source ends at the end of the text, and busbar with it. */
const UNTIL_DONE = ["--until-done", "--set", "pipelines.words.sources.lines.config.once=true"];

/** Counts what TypeScript counts, in one go. */
async function countsOnce(plugin: { directory: string; name: string }): Promise<void> {
  await withFolder(async (folder) => {
    const config = await prepare(plugin, folder, { min_length: 3, case_sensitive: true });
    const text = lines(0, LINES);
    await Deno.writeTextFile(join(folder, "part_0.txt"), text);

    const { code, stdout, stderr } = await runBusbar(["run", "-c", config, ...UNTIL_DONE]);
    assert.equal(code, 0, stderr);
    const emitted = emittedIn(stdout);
    const expected = countWords(text, { minLength: 3, caseSensitive: true });
    assert.deepEqual(sorted(lastCounts(emitted)), sorted(expected));

    const seen = new Map<string, number>();
    for (const { key, operation, sequence, payload } of emitted) {
      assert.equal(operation, seen.has(key) ? "update" : "insert", key);
      assert.ok(payload.count > (seen.get(key) ?? 0), key);
      assert.equal(sequence, 0);
      seen.set(key, payload.count);
    }
    if (emitted.length === expected.size) { // all of it in one tick
      const bytes = emitted.map(({ key }) => new TextEncoder().encode(key));
      assert.ok(bytes.every((key, i) => i === 0 || compareBytes(bytes[i - 1]!, key) < 0));
    }
  });
}

/** Counts each word once, although it is stopped, and then killed, in the middle. */
async function survives(plugin: { directory: string; name: string }): Promise<void> {
  await withFolder(async (folder) => {
    const config = await prepare(plugin, folder);
    const parts = [0, 1, 2].map((i) => lines(LINES / 3 * i, LINES / 3 * (i + 1)));
    const emitted: Emitted[] = [];
    let all = "";
    const add = async (part: number) => {
      all += parts[part];
      await Deno.writeTextFile(join(folder, `part_${part}.txt`), parts[part]!);
      return sorted(countWords(all));
    };

    for (const [part, end] of ["SIGTERM" as const, "SIGKILL" as const].entries()) {
      const expected = await add(part);
      // After an orderly stop its words are in the state alone.
      if (part > 0) await Deno.remove(join(folder, "part_0.txt"));
      await using busbar = new Busbar(folder, busbarCommand(["run", "-c", config]).spawn());
      await waitFor(() => {
        const counts = lastCounts([...emitted, ...emittedIn(busbar.stdout)]);
        return counts.size === expected.length &&
          expected.every(([word, count]) => counts.get(word) === count);
      }, { what: "all words to be counted", busbar });
      busbar.kill(end);
      emitted.push(...emittedIn((await busbar.exited()).stdout));
    }

    const expected = await add(2);
    const { code, stdout, stderr } = await runBusbar(["run", "-c", config, ...UNTIL_DONE]);
    assert.equal(code, 0, stderr);
    emitted.push(...emittedIn(stdout));
    assert.deepEqual(sorted(lastCounts(emitted)), expected);
  });
}

for (const language of LANGUAGES) {
  Deno.test(`word count in ${language} counts what TypeScript counts, over a stop and a crash as well`, async () => {
    await withFolder(async (directory) => {
      const folder = join(PROJECT, "ffi/examples/word_count", language);
      const { manifest } = await buildPlugin({ folder, outDir: directory });
      const plugin = { directory, name: String(manifest.name) };
      const results = await Promise.allSettled([countsOnce(plugin), survives(plugin)]);
      for (const result of results) if (result.status === "rejected") throw result.reason;
    });
  });
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
