import type { Command } from "commander";
import type { ExitCode } from "./exit_codes.ts";

/** Adds the commands for those who write plugins to `plugin`; each is imported when it is called. */
export function addProjectCommands(plugin: Command, finish: (code: ExitCode) => void): void {
  plugin.command("new")
    .description("make a project with a small plugin, its test, and all that it needs to be built")
    .argument("<name>", 'the plugin\'s name: lower-case letters, digits and "-"')
    .requiredOption("--lang <language>", "c, cpp, rust or go")
    .requiredOption(
      "--kind <kind>",
      "source, processor, reaction, bootstrap, service or hook",
    )
    .option("--dir <folder>", "where to make it (default: a folder named like the plugin)")
    .action(async (name: string, _, command: Command) =>
      finish(await (await import("./plugin_new.ts")).newPlugin(name, command.optsWithGlobals()))
    );
  building(plugin.command("build"))
    .description("build the plugin whose project is the working directory")
    .action(async (_, command: Command) =>
      finish(await (await import("./plugin_build.ts")).build(command.optsWithGlobals()))
    );
  building(plugin.command("pack"))
    .description("build the plugin and put it into an archive")
    .action(async (_, command: Command) =>
      finish(await (await import("./plugin_pack.ts")).pack(command.optsWithGlobals()))
    );
}

function building(command: Command): Command {
  return command
    .option("--out <folder>", "where the result goes (default: dist)")
    .option(
      "--debug",
      "build for a debugger: not optimised, with symbols and this machine's paths",
    );
}
