/**
 * Does what a page of the documentation tells its reader to do. A block below `<!-- file: PATH -->` is written to that file, a block
 * of `sh` is run, and a block of `text` below `<!-- output -->` must occur in what the commands before it printed, where `…`
 * stands for anything within a line. The working folder goes on from one block to the next.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { busbarProgram } from "./busbar.ts";

/** A step of a page, with the line that it begins on. */
export type Step =
  | { kind: "file"; line: number; path: string; text: string }
  | { kind: "run"; line: number; text: string }
  | { kind: "output"; line: number; text: string };

/** The steps of a page, in order. Blocks of other languages without a comment above them are only to be read. */
export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  const lines = markdown.split("\n");
  let mark = "";
  for (let at = 0; at < lines.length; at++) {
    const fence = /^```(\w*)$/.exec(lines[at]!);
    if (fence === null) {
      mark = /^<!-- (.+) -->$/.exec(lines[at]!)?.[1] ?? (lines[at]!.trim() === "" ? mark : "");
      continue;
    }
    const line = at + 1;
    const end = lines.indexOf("```", line);
    assert.ok(end > 0, `the block that begins on line ${line} has no end`);
    const text = lines.slice(line, end).join("\n") + "\n";
    const path = /^file: (\S+)$/.exec(mark)?.[1];
    if (path !== undefined) steps.push({ kind: "file", line, path, text });
    else if (mark === "output") steps.push({ kind: "output", line, text });
    else if (fence[1] === "sh") steps.push({ kind: "run", line, text });
    mark = "";
    at = end;
  }
  return steps;
}

/** Follows a page in `folder`, with `busbar` from `bin` on PATH. Throws where a command fails or prints something else. */
export async function follow(
  page: string,
  options: { folder: string; bin: string; env?: Record<string, string> },
): Promise<void> {
  const { folder, bin } = options;
  const env = { ...options.env, PATH: `${bin}:${Deno.env.get("PATH")}` };
  const place = join(folder, ".place");
  let cwd = join(folder, "work");
  await Deno.mkdir(cwd);
  let printed = "";
  for (const step of stepsOf(await Deno.readTextFile(page))) {
    const where = `${page}:${step.line}`;
    switch (step.kind) {
      case "file": {
        const path = join(cwd, step.path);
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.writeTextFile(path, step.text);
        break;
      }
      case "run": {
        const script = `set -eu\n${step.text}pwd >"${place}"\n`;
        const { success, stdout, stderr } = await new Deno.Command("sh", {
          args: ["-c", script],
          cwd,
          env,
          stdin: "null",
        }).output();
        const decoder = new TextDecoder();
        printed = decoder.decode(stdout) + decoder.decode(stderr);
        assert.ok(success, `${where}: the commands fail:\n${step.text}\n${printed}`);
        cwd = (await Deno.readTextFile(place)).trim();
        break;
      }
      case "output":
        assert.ok(occurs(step.text, printed), `${where}: this is not printed, but:\n${printed}`);
    }
  }
}

/** Follows a page in a folder of its own, with the busbar under test on PATH. */
export async function followAlone(page: string, env: Record<string, string> = {}): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_page_" });
  try {
    const bin = join(folder, "bin");
    const { command, args } = busbarProgram();
    const script = `#!/bin/sh\nexec "${[command, ...args].join('" "')}" "$@"\n`;
    await Deno.mkdir(bin);
    await Deno.writeTextFile(join(bin, "busbar"), script, { mode: 0o755 });
    await follow(page, { folder, bin, env: { NO_COLOR: "1", ...env } });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether the lines of `expected` occur in `printed`, one right after the other. */
function occurs(expected: string, printed: string): boolean {
  const patterns = expected.trimEnd().split("\n").map((line) =>
    new RegExp(`^${line.split("…").map(literally).join(".*")}$`)
  );
  const lines = printed.split("\n").map((line) => line.trimEnd());
  return lines.some((_, at) =>
    patterns.every((pattern, index) => pattern.test(lines[at + index] ?? ""))
  );
}

function literally(text: string): string {
  return text.trimEnd() === text ? escape(text) : `${escape(text.trimEnd())}\\s*`;
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
