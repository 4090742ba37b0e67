import { join } from "node:path";
import type { Driver } from "./driver.ts";
import { type Finding, notApplicable, PASSED } from "./file_checks.ts";
import { hasAsan, makePlan, type Prepared } from "./plan.ts";
import type { Check } from "./report.ts";

/** What all checks of the driver have in common. */
export interface DriverSettings {
  driver: Driver;
  seed: number;
  /** For each check; undefined for the fixture's, or the default. */
  timeoutMs: number | undefined;
  valgrind: boolean;
  httpUrl: string | undefined;
}

/** The check that is made for memory checkers. */
const MEMORY_CHECK = "memory";
const MEMORY_EXIT_CODE = 99;
const TIMEOUT_MS = 10_000;
/** How much slower everything is under Valgrind. */
const VALGRIND_FACTOR = 6;
/** glibc's loader reads whole words of what it allocated when a library says where others lie, as "$ORIGIN" does. */
const SUPPRESSIONS = `{
  loader
  Memcheck:Addr8
  fun:strncmp
  fun:is_dst
}
`;
const MAX_LOG_LINES = 5;
const MAX_CHECKER_LINES = 40;

/** Runs one check of the driver in an empty folder of its own. */
export async function runDriverCheck(
  check: Check,
  given: Prepared & DriverSettings & { folder: string },
): Promise<Finding> {
  const { driver, plugin, component, fixture, folder } = given;
  const asan = hasAsan(plugin);
  const sanitizer = plugin.libraries.found.find(({ name }) => /^lib(clang_rt\.)?asan\b/.test(name));
  if (asan && sanitizer === undefined) {
    return notApplicable(
      "The library has AddressSanitizer built in statically, which cannot be loaded later; link it with -shared-libasan",
    );
  }
  const wantsValgrind = check.name === MEMORY_CHECK && !asan;
  const valgrind = wantsValgrind ? await findValgrind(given) : undefined;
  if (typeof valgrind === "string") return notApplicable(valgrind);
  const factor = valgrind ? VALGRIND_FACTOR : 1;
  const timeoutMs = (given.timeoutMs ?? (fixture.timeout ?? TIMEOUT_MS / 1000) * 1000) * factor;
  const plan = {
    ...makePlan({ ...given, timeoutMs }, [check]),
    ...(valgrind && { memory_mb: 0 }),
  };
  const suppressions = join(folder, "valgrind.supp");
  if (valgrind) await Deno.writeTextFile(suppressions, SUPPRESSIONS);
  const [result] = await driver.run({
    plan,
    folder,
    timeoutMs,
    env: sanitizer && asan
      ? {
        LD_PRELOAD: sanitizer.path,
        ASAN_OPTIONS: `exitcode=${MEMORY_EXIT_CODE}:log_path=${join(folder, "checker")}`,
      }
      : {},
    ...(valgrind && {
      wrapper: [
        valgrind.path,
        "-q",
        `--error-exitcode=${MEMORY_EXIT_CODE}`,
        `--log-file=${join(folder, "checker.%p")}`,
        `--suppressions=${suppressions}`,
      ],
    }),
  });
  const { status, message, notes, log } = result!;
  if (status === "pass") return { ...PASSED, seen: notes.join("; ") };
  if (status === "not_applicable") return notApplicable(message);
  const checker = valgrind || asan ? await checkerLines(folder) : [];
  const logged = log.slice(-MAX_LOG_LINES).map((line) => `${component.name} logged: ${line}`);
  return { verdict: "failed", seen: [message, ...notes, ...logged, ...checker].join("\n") };
}

/** Where Valgrind is, or why it is not used. */
async function findValgrind(
  { plugin, valgrind }: Prepared & DriverSettings,
): Promise<{ path: string } | string> {
  if (plugin.binary.runtime === "go") return "Valgrind does not understand Go's runtime";
  if (!valgrind) {
    return "Valgrind is not to be used, and the library is not built with AddressSanitizer";
  }
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = join(folder, "valgrind");
    const info = await Deno.stat(path).catch(() => undefined);
    if (info?.isFile) return { path };
  }
  return "Valgrind is not installed, and the library is not built with AddressSanitizer";
}

/** What the memory checker has written. */
async function checkerLines(folder: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("checker.")) continue;
    const text = await Deno.readTextFile(join(folder, name));
    lines.push(...text.split("\n").map((line) => line.replace(/^==\d+== ?/, "")).filter(Boolean));
  }
  return lines.slice(0, MAX_CHECKER_LINES);
}
