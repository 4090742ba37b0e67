import { join, normalize } from "node:path";
import { main, PROJECT, statOrNothing } from "./files.ts";

/** How many tests of a run passed and failed. */
export interface Counts {
  passed: number;
  failed: number;
}

/** Tests that are run by one `deno test`. */
interface Group {
  paths: string[];
  /** Whether the files run side by side: only those that neither start processes under a clock nor measure. */
  parallel: boolean;
  /** Whether it runs beside the group before it; its output is shown when both have ended. */
  beside?: boolean;
}

/** Where tests lie, in the order in which they run. */
const FOLDERS = ["tests/unit", "tests/integration", "tests/e2e"];
/** Those that take minutes, most because they compile a lot, in every language; `--quick` leaves them out. */
const LONG = [
  "tests/plugins",
  "tests/sdk",
  "tests/projects",
  "tests/conformance",
  "tests/soak",
  "tests/twins",
];

/** Options of `deno test` whose value is the next argument. */
const OPTIONS_WITH_VALUE = ["--filter", "--reporter", "--junit-path", "--seed", "--ignore"];

const ANSI = new RegExp(String.raw`\u001b\[[0-9;]*m`, "g");
/** How much of the output of a run that died is shown again, in characters. */
const UNEXPLAINED = 4096;
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm;

/**
 * Reads `deno test`'s summary, the last in its output. A run that failed counts at least one failure: a file that does
 * not compile, or a process that died, has no test to blame.
 */
export function readCounts(output: string, exitCode: number): Counts {
  const last = [...output.replace(ANSI, "").matchAll(SUMMARY)].at(-1);
  const counts = { passed: Number(last?.[1] ?? 0), failed: Number(last?.[2] ?? 0) };
  if (exitCode !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/**
 * What `deno test` says of the tests that failed, errors with their stacks and then their names; empty if none did. Of a
 * run without a summary it is the end of the output: there is nothing else that tells why it died.
 */
export function readFailures(output: string, exitCode: number): string {
  if (exitCode === 0) return "";
  const plain = output.replace(ANSI, "");
  const summary = [...plain.matchAll(SUMMARY)].at(-1);
  if (summary === undefined) return plain.slice(-UNEXPLAINED);
  const start = plain.lastIndexOf("\n ERRORS \n", summary.index);
  return start < 0 ? "" : plain.slice(start, summary.index).trim();
}

/** Parts `args` into the paths to run and what else goes to `deno test`. */
export function splitArguments(args: string[]): { paths: string[]; options: string[] } {
  const paths: string[] = [];
  const options: string[] = [];
  for (const [index, arg] of args.entries()) {
    const isValue = OPTIONS_WITH_VALUE.includes(args[index - 1] ?? "");
    (arg.startsWith("-") || isValue ? options : paths).push(arg);
  }
  return { paths, options };
}

async function groupsOf(paths: string[], quick: boolean): Promise<Group[]> {
  const isIn = (folders: string[]) => (path: string) =>
    folders.some((folder) => `${normalize(path)}/`.startsWith(`${folder}/`));
  const isUnit = isIn(["tests/unit"]);
  const isLong = isIn(LONG);
  const wanted = paths.length > 0 ? paths : quick ? FOLDERS : [...FOLDERS, ...LONG];
  const there: string[] = [];
  for (const path of wanted) {
    if (await statOrNothing(join(PROJECT, path))) there.push(path);
    else if (paths.length > 0) throw new Error(`Cannot run tests: "${path}" does not exist`);
  }
  const isEndToEnd = isIn(["tests/e2e"]);
  const others = there.filter((path) => !isUnit(path) && !isLong(path));
  return [
    { paths: there.filter(isUnit), parallel: true },
    { paths: others.filter((path) => !isEndToEnd(path)), parallel: false },
    // They wait more than they work.
    { paths: others.filter(isEndToEnd), parallel: false, beside: quick },
    { paths: there.filter(isLong), parallel: true },
  ].filter((group) => group.paths.length > 0);
}

interface Outcome extends Counts {
  failures: string;
}

/** Runs groups one after the other, and beside the one before them those that can be. */
async function runGroups(groups: Group[], options: string[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < groups.length;) {
    const behind = groups.findIndex((group, index) => index > at && !group.beside);
    const together = groups.slice(at, behind < 0 ? groups.length : behind);
    at += together.length;
    const hidden = together.map((): Uint8Array[] => []);
    outcomes.push(
      ...await Promise.all(
        together.map((group, index) =>
          runGroup(group, options, async (chunk) => {
            if (index === 0) await writeAll(chunk);
            else hidden[index]!.push(chunk);
          })
        ),
      ),
    );
    for (const chunk of hidden.flat()) await writeAll(chunk);
  }
  return outcomes;
}

async function runGroup(
  { paths, parallel }: Group,
  options: string[],
  show: (chunk: Uint8Array) => Promise<void>,
): Promise<Outcome> {
  const args = ["test", "-A", "--frozen", "--permit-no-files", ...(parallel ? ["--parallel"] : [])];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, ...options, ...paths],
    cwd: PROJECT,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    await show(chunk);
    // The summary is at the end; what a test prints before it can be long.
    output = (output + decoder.decode(chunk, { stream: true })).slice(-1024 * 1024);
  }
  const { code } = await child.status;
  return { ...readCounts(output, code), failures: readFailures(output, code) };
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await Deno.stdout.write(bytes.subarray(done));
}

if (import.meta.main) {
  await main("test", async () => {
    const quick = Deno.args.includes("--quick");
    const { paths, options } = splitArguments(Deno.args.filter((arg) => arg !== "--quick"));
    const total: Counts = { passed: 0, failed: 0 };
    const failures: string[] = [];
    for (const outcome of await runGroups(await groupsOf(paths, quick), options)) {
      if (outcome.failures) failures.push(outcome.failures);
      total.passed += outcome.passed;
      total.failed += outcome.failed;
    }
    // Said again at the end, where it is looked for: there can be a thousand lines behind a test that failed.
    for (const failure of failures) console.log(`\n${failure}\n`);
    console.log(`${total.passed} passed, ${total.failed} failed`);
    if (total.failed > 0 || total.passed === 0) Deno.exit(1);
  });
}
