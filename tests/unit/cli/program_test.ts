import assert from "node:assert/strict";
import type { Command } from "commander";
import { ExitCode } from "../../../src/cli/exit_codes.ts";
import { createProgram } from "../../../src/cli/program.ts";

const GUIDE = new URL("../../../docs/cli.md", import.meta.url);

/** Full names of the commands that help shows and that do something. */
function commandNames(command: Command, name: string): string[] {
  const children = command.createHelp().visibleCommands(command)
    .filter((child) => child.name() !== "help");
  if (children.length === 0) return [name];
  return children.flatMap((child) => commandNames(child, `${name} ${child.name()}`));
}

/** Every option of a command and of those below. */
function optionNames(command: Command): string[] {
  const own = command.options.map(({ long }) => long!);
  return [...own, ...command.commands.flatMap(optionNames)];
}

Deno.test("docs/cli.md lists exactly the commands there are", async () => {
  const text = await Deno.readTextFile(GUIDE);
  const listed = [...text.matchAll(/^\| `(busbar [a-z -]+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(listed, commandNames(createProgram(() => {}), "busbar"));
});

Deno.test("docs/cli.md names every option", async () => {
  const text = await Deno.readTextFile(GUIDE);
  for (const option of optionNames(createProgram(() => {}))) {
    assert.match(text, new RegExp(`${option}\\b`), option);
  }
});

Deno.test("docs/cli.md explains exactly the exit codes there are", async () => {
  const text = await Deno.readTextFile(GUIDE);
  const table = text.slice(text.indexOf("## Exit codes"));
  const listed = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap((match) =>
    match[1]!.split(",").map(Number)
  );
  assert.deepEqual(listed, Object.values(ExitCode));
});

Deno.test("serve is an alias of run", () => {
  const { commands } = createProgram(() => {});
  assert.equal(commands.find((command) => command.aliases().includes("serve"))?.name(), "run");
});
