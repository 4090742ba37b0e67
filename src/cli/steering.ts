import { type Command, InvalidArgumentError, Option } from "commander";
import { PIPELINE_ACTIONS, PLUGIN_ACTIONS, SERVICE_ACTIONS } from "../admin/control.ts";
import type { ExitCode } from "./exit_codes.ts";

const PLUGIN_TEXTS: Record<typeof PLUGIN_ACTIONS[number], string> = {
  enable: "allow a plugin again and start the pipelines that use it",
  disable: "stop the pipelines that use a plugin, until it is enabled",
  reload: "take the present file of a plugin into the running pipelines",
  rollback: "go back to the version of a plugin that was used before",
};

const PIPELINE_TEXTS: Record<typeof PIPELINE_ACTIONS[number], string> = {
  start: "start a pipeline that was stopped or has failed",
  stop: "stop a pipeline, also for later runs, until it is started",
  restart: "stop a pipeline and start it",
  pause: "stop the flow of a pipeline, also for later runs, and keep its process",
  resume: "let a paused pipeline go on",
};

const SERVICE_TEXTS: Record<typeof SERVICE_ACTIONS[number], string> = {
  start: "start a service that was stopped or has failed",
  stop: "stop a service, also for later runs, until it is started",
  restart: "stop a service and start it",
};

type Finish = (code: ExitCode) => void;

/** The commands that steer a host, or the stores of one that does not run. */
export function addSteeringCommands(program: Command, finish: Finish): void {
  for (const action of PLUGIN_ACTIONS) {
    finding(program.command(action))
      .description(PLUGIN_TEXTS[action])
      .argument("<name>", "the plugin's name")
      .action(async (name: string, _, command: Command) => {
        const { actOnPlugin } = await import("./plugin_action.ts");
        finish(await actOnPlugin(action, name, command.optsWithGlobals()));
      });
  }
  finding(program.command("execute"))
    .description("execute a service of a running host and print its output")
    .argument("<name>", "the service's id, or its plugin's name")
    .argument("[input]", "its input; standard input by default and for -")
    .addOption(
      new Option("--timeout <seconds>", "time it may take, less than the service's own")
        .argParser(seconds),
    )
    .action(async (name: string, input: string | undefined, _, command: Command) =>
      finish(await (await import("./execute.ts")).execute(name, input, command.optsWithGlobals()))
    );
  addPipelineCommands(program, finish);
  addServiceCommands(program, finish);
  addLetterCommands(program, finish);
  addStateCommands(program, finish);
}

function addPipelineCommands(program: Command, finish: Finish): void {
  const pipeline = program.command("pipeline").description("look at pipelines and steer them");
  finding(pipeline.command("list"))
    .description("list the pipelines of a running host")
    .action(async (_, command: Command) =>
      finish(await (await import("./pipeline_list.ts")).listPipelines(command.optsWithGlobals()))
    );
  for (const action of PIPELINE_ACTIONS) {
    finding(pipeline.command(action))
      .description(PIPELINE_TEXTS[action])
      .argument("<id>", "the pipeline's id")
      .action(async (id: string, _, command: Command) => {
        const { actOnPipeline } = await import("./pipeline_action.ts");
        finish(await actOnPipeline(action, id, command.optsWithGlobals()));
      });
  }
}

function addServiceCommands(program: Command, finish: Finish): void {
  const service = program.command("service")
    .description("look at services and hooks of plugins, and steer them");
  finding(service.command("list"))
    .description("list the services and hooks of a running host")
    .action(async (_, command: Command) =>
      finish(await (await import("./service_list.ts")).listServices(command.optsWithGlobals()))
    );
  for (const action of SERVICE_ACTIONS) {
    finding(service.command(action))
      .description(SERVICE_TEXTS[action])
      .argument("<id>", "the service's id, or hook:ID for a hook of http")
      .action(async (id: string, _, command: Command) => {
        const { actOnService } = await import("./service_action.ts");
        finish(await actOnService(action, id, command.optsWithGlobals()));
      });
  }
}

function addLetterCommands(program: Command, finish: Finish): void {
  const dlq = program.command("dlq").description("look at dead letters: events that were given up");
  filtering(finding(dlq.command("list")))
    .description("list dead letters, oldest first")
    .argument("[pipeline]", "only those of this pipeline")
    .option("--limit <count>", "how many at most, of each pipeline", count, 100)
    .option("--offset <count>", "how many to leave out first", count, 0)
    .action(async (pipeline: string | undefined, _, command: Command) =>
      finish(await (await import("./dlq_list.ts")).listLetters(pipeline, command.optsWithGlobals()))
    );
  finding(dlq.command("show"))
    .description("print one dead letter with its event")
    .argument("<pipeline>", "the pipeline's id")
    .argument("<id>", "the letter's id")
    .action(async (pipeline: string, id: string, _, command: Command) => {
      const { showLetter } = await import("./dlq_show.ts");
      finish(await showLetter(pipeline, id, command.optsWithGlobals()));
    });
  for (const action of ["replay", "drop"] as const) {
    filtering(finding(dlq.command(action)))
      .description(
        action === "replay" ? "offer dead letters again" : "remove dead letters for good",
      )
      .argument("<pipeline>", "the pipeline's id")
      .argument("[ids...]", "the letters' ids")
      .option("--all", "all of the pipeline")
      .option("-y, --yes", "do not ask first")
      .action(async (pipeline: string, ids: string[], _, command: Command) => {
        const { changeLetters } = await import("./dlq_change.ts");
        finish(await changeLetters(action, { pipeline, ids }, command.optsWithGlobals()));
      });
  }
}

function addStateCommands(program: Command, finish: Finish): void {
  const state = program.command("state").description("save, restore and check what a host stores");
  withFolder(state.command("export"))
    .description("write plugins, versions, desired states and the audit log as JSON")
    .argument("<file>", "the file to write; - is standard output")
    .action(async (file: string, _, command: Command) =>
      finish(await (await import("./state_export.ts")).exportState(file, command.optsWithGlobals()))
    );
  withFolder(state.command("import"))
    .description("replace what is stored by what was exported; no host may run")
    .argument("<file>", "the file to read; - is standard input")
    .action(async (file: string, _, command: Command) =>
      finish(await (await import("./state_import.ts")).importState(file, command.optsWithGlobals()))
    );
  withFolder(state.command("check"))
    .description("check the databases and the stored copies of plugins")
    .option("--repair", "move damaged databases aside, so that new ones are made; no host may run")
    .action(async (_, command: Command) =>
      finish(await (await import("./state_check.ts")).checkState(command.optsWithGlobals()))
    );
}

function finding(command: Command): Command {
  return withFolder(command)
    .option("--url <url>", "its admin API instead, over HTTP (default: $BUSBAR_URL)");
}

function withFolder(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration of the host (default: as for run)")
    .option("--data-dir <folder>", "data folder of the host, instead of a configuration");
}

function filtering(command: Command): Command {
  return command
    .option("--component <id>", "only those of this component")
    .option("--code <code>", "only those with this code: Failed, Invalid or Poison")
    .option("--source <id>", "only events of this source")
    .option("--before <time>", "only those given up before this time")
    .option("--after <time>", "only those given up at this time or later");
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= 3600) return value;
  throw new InvalidArgumentError("Expected seconds, up to 3600");
}

function count(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("Expected a whole number");
}
