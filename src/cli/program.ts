import tab from "@bomb.sh/tab/commander";
import { Command, InvalidArgumentError, Option } from "commander";
import { addConformanceCommands } from "./conformance_commands.ts";
import type { ExitCode } from "./exit_codes.ts";
import { addProjectCommands } from "./project_commands.ts";
import { addSteeringCommands } from "./steering.ts";

/** What every command may be given. */
export interface GlobalOptions {
  json?: boolean;
  color: boolean;
}

/** Options of the commands that look for plugins. */
export interface PluginOptions extends GlobalOptions {
  config?: string;
  pluginDir: string[];
}

/** Options of the commands that read a configuration. */
export interface ConfigOptions extends PluginOptions {
  set: string[];
}

export interface RunOptions extends ConfigOptions {
  host?: string;
  port?: string;
  untilDone?: boolean;
}

export interface LoadOptions extends PluginOptions {
  timeout: number;
}

export interface HealthOptions extends GlobalOptions {
  url?: string;
}

/**
 * The commands; each is imported when it is called, and `finish` gets its exit code. Wrong usage throws a CommanderError.
 */
export function createProgram(finish: (code: ExitCode) => void): Command {
  const program = new Command("busbar")
    .description("Moves events between native plugins")
    .option("--json", "print data as JSON")
    .option("--no-color", "print without colours, as with NO_COLOR")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(see "busbar --help")')
    .exitOverride()
    .hook("preAction", (_, command) => {
      if (command.optsWithGlobals<GlobalOptions>().color === false) Deno.env.set("NO_COLOR", "1");
    });

  configured(program.command("run").alias("serve"))
    .description("run the pipelines of a configuration")
    .option("--host <address>", "address of the admin API, instead of server.host")
    .option("--port <port>", "port of the admin API, instead of server.port; 0 takes a free one")
    .option("--until-done", "end when every pipeline has completed or failed")
    .action(async (_, command: Command) =>
      finish(await (await import("./run.ts")).run(command.optsWithGlobals()))
    );
  configured(program.command("check"))
    .description("check a configuration and the plugins it names, without running anything")
    .action(async (_, command: Command) =>
      finish(await (await import("./check.ts")).check(command.optsWithGlobals()))
    );
  addConfigTests(program, finish);
  addPluginCommands(program, finish);
  addSteeringCommands(program, finish);
  program.command("version")
    .description("print what this program was built from")
    .action(async (_, command: Command) =>
      finish(await (await import("./version.ts")).version(command.optsWithGlobals()))
    );
  program.command("health")
    .description("ask a running host whether it is well and all its pipelines run")
    .option("--url <url>", "its admin API (default: $BUSBAR_URL, else http://127.0.0.1:7700)")
    .action(async (_, command: Command) =>
      finish(await (await import("./health.ts")).health(command.optsWithGlobals()))
    );
  tab(program, { completionCommandName: "completions" });
  return program;
}

function addConfigTests(program: Command, finish: (code: ExitCode) => void): void {
  program.command("test")
    .description("run tests of configurations: given events, expected events, no side effects")
    .argument("<files...>", "files of tests, or configurations that hold some")
    .option("--filter <text>", "only tests that have it in their name")
    .addOption(
      new Option("--format <format>", "of the report").choices(["text", "json", "junit"])
        .default("text"),
    )
    .option("--output <file>", "write the report there, and text to standard output")
    .addOption(new Option("--jobs <number>", "tests at once").argParser(jobs))
    .addOption(
      new Option("--timeout <seconds>", "time that one test may take").default(30)
        .argParser(seconds),
    )
    .option("--plugin-dir <folder>", "folder with plugins (repeatable)", append, [])
    .option("--set <path=value>", "set one value of the configuration (repeatable)", append, [])
    .action(async (files: string[], _, command: Command) =>
      finish(await (await import("./test.ts")).testConfigs(files, command.optsWithGlobals()))
    );
}

function addPluginCommands(program: Command, finish: (code: ExitCode) => void): void {
  const plugin = program.command("plugin").description("write plugins and look at them");
  addProjectCommands(plugin, finish);
  addConformanceCommands(plugin, finish);
  findingPlugins(plugin.command("list"))
    .description("list the plugins there are")
    .action(async (_, command: Command) =>
      finish(await (await import("./plugin_list.ts")).listPlugins(command.optsWithGlobals()))
    );
  findingPlugins(plugin.command("inspect"))
    .description("print what a plugin's file says, without loading it")
    .argument("<file>", "a plugin's library or folder")
    .action(async (file: string, _, command: Command) =>
      finish(
        await (await import("./plugin_inspect.ts")).inspect(file, command.optsWithGlobals()),
      )
    );
  loading(findingPlugins(plugin.command("validate")))
    .description("load a plugin in a throw-away process and compare it with its manifest")
    .argument("<plugin>", "a plugin's library or folder, or the name of one that is found")
    .action(async (name: string, _, command: Command) =>
      finish(
        await (await import("./plugin_validate.ts")).validate(name, command.optsWithGlobals()),
      )
    );
  loading(findingPlugins(plugin.command("check")))
    .description("inspect and validate all plugins of folders")
    .argument("[folders...]", "folders to search; those that run would search by default")
    .action(async (folders: string[], _, command: Command) =>
      finish(
        await (await import("./plugin_check.ts")).checkPlugins(folders, command.optsWithGlobals()),
      )
    );
}

function configured(command: Command): Command {
  return findingPlugins(command)
    .option("--set <path=value>", "set one value of the configuration (repeatable)", append, []);
}

function findingPlugins(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration (default: busbar.yaml, /etc/busbar/busbar.yaml)")
    .option("--plugin-dir <folder>", "folder with plugins (repeatable)", append, []);
}

function loading(command: Command): Command {
  return command.addOption(
    new Option("--timeout <seconds>", "time that loading one plugin may take")
      .default(10).argParser(seconds),
  );
}

function append(value: string, values: string[]): string[] {
  return [...values, value];
}

function jobs(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= 256) return value;
  throw new InvalidArgumentError("Expected a whole number from 1 to 256");
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= 3600) return value;
  throw new InvalidArgumentError("Expected seconds, up to 3600");
}
