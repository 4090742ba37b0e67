import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExitCode } from "./exit_codes.ts";

/** Adds the commands that run a plugin outside of a pipeline; each is imported when it is called. */
export function addConformanceCommands(plugin: Command, finish: (code: ExitCode) => void): void {
  plugin.command("test")
    .description("check that a plugin obeys the contract, each check in a process of its own")
    .argument("[file]", "a plugin's library or folder")
    .option("--component <name>", "only this component, and nothing about the file as a whole")
    .option(
      "--check <pattern>",
      "only checks of this name, * for anything (repeatable)",
      append,
      [],
    )
    .option("--list", "print all checks, and run none")
    .addOption(
      new Option("--seed <number>", "what random settings, events and sizes are made from")
        .default(1).argParser(whole(0, 2 ** 32 - 1)),
    )
    .option("--fixtures <file>", "settings and input to test with (default: conformance.json)")
    .addOption(new Option("--jobs <number>", "checks at once").argParser(whole(1, 256)))
    .addOption(
      new Option("--timeout <seconds>", "time that one check may take (default: 10)")
        .argParser(positive),
    )
    .addOption(
      new Option("--format <format>", "of the report").choices(["text", "json", "junit"])
        .default("text"),
    )
    .option("--output <file>", "write the report there, and text to standard output")
    .option("--no-valgrind", "do not use Valgrind, even where it is installed")
    .action(async (file: string | undefined, _, command: Command) =>
      finish(await (await import("./plugin_test.ts")).test(file, command.optsWithGlobals()))
    );
  plugin.command("bench")
    .description("measure how fast a component of a plugin is, in a process of its own")
    .argument("<file>", "a plugin's library or folder")
    .option("--component <name>", "which one, where the plugin has several")
    .addOption(
      new Option("--payload <bytes>", "bytes of each event's payload").default(256)
        .argParser(whole(0, 1 << 24)),
    )
    .addOption(
      new Option("--batch <events>", "events in a batch").default(1024).argParser(
        whole(1, 1 << 20),
      ),
    )
    .addOption(
      new Option("--seconds <seconds>", "how long to measure").default(2).argParser(positive),
    )
    .option("--config <json>", "settings, instead of those that tests use")
    .option("--fixtures <file>", "settings and input to run with (default: conformance.json)")
    .action(async (file: string, _, command: Command) =>
      finish(await (await import("./plugin_bench.ts")).bench(file, command.optsWithGlobals()))
    );
}

function append(value: string, values: string[]): string[] {
  return [...values, value];
}

function whole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}`);
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= 3600) return value;
  throw new InvalidArgumentError("Expected seconds, up to 3600");
}
