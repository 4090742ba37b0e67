import { CommanderError } from "commander";
import { ConfigError, formatDiagnostic } from "../config/diagnostic.ts";
import { StartError } from "../host/start_error.ts";
import { PluginError } from "../plugin/errors.ts";
import { ProjectError } from "../project/errors.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { hasColour } from "./output.ts";
import { createProgram } from "./program.ts";

/** Runs the command that `args` name and returns the code to end with. What goes wrong is printed, not thrown. */
export async function runCli(args: string[]): Promise<ExitCode> {
  let code: ExitCode = ExitCode.OK;
  const program = createProgram((result) => code = result);
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return report(error);
  }
}

/** Prints what a command threw. */
function report(error: unknown): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has printed it. Help that was asked for is no error; "commander.help" is help for want of a command.
    return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  }
  if (error instanceof ConfigError) {
    const colour = hasColour(Deno.stderr);
    for (const diagnostic of error.diagnostics) {
      console.error(formatDiagnostic(diagnostic, { colour }));
    }
    return ExitCode.USAGE;
  }
  if (error instanceof CommandError) return fail(error.exitCode, error);
  if (error instanceof ProjectError) return fail(ExitCode.FAILURE, error);
  if (error instanceof PluginError) return fail(ExitCode.FAILURE, error);
  if (error instanceof StartError) return fail(ExitCode.START, error);
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  console.error(`busbar: internal error, please report it: ${text}`);
  return ExitCode.INTERNAL;
}

function fail(code: ExitCode, { message }: Error): ExitCode {
  console.error(`busbar: ${message}`);
  return code;
}
