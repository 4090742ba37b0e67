/** What comes in on busbar's standard input. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { busbarProgram, waitFor, writeConfig } from "../../support/busbar.ts";
import { withFolder } from "../pipeline/support.ts";

interface Run {
  input: WritableStreamDefaultWriter<Uint8Array>;
  process: Deno.ChildProcess;
  stderr(): string;
}

/** Runs busbar with the configuration and an input that the test writes. */
async function withRun(
  folder: string,
  config: Record<string, unknown>,
  action: (run: Run) => Promise<void>,
): Promise<void> {
  const file = await writeConfig(folder, config);
  const { command, args } = busbarProgram();
  const process = new Deno.Command(command, {
    args: [...args, "run", "-c", file, "--until-done"],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let stderr = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of process.stderr) stderr += decoder.decode(bytes, { stream: true });
  })();
  const input = process.stdin.getWriter();
  let ended = false;
  try {
    await action({ input, process, stderr: () => stderr });
    ended = true;
  } catch (error) {
    console.error(stderr);
    throw error;
  } finally {
    if (!ended) endProcess(process);
    await process.status;
    await reading;
    await input.abort().catch(() => {});
  }
}

function endProcess(process: Deno.ChildProcess): void {
  try {
    process.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended by itself
  }
}

const pipeline = (out: string, more: Record<string, unknown> = {}) => ({
  log: { level: "info", format: "json" },
  pipelines: {
    web: {
      sources: { in: { use: "builtin/stdin", ...more } },
      reactions: { out: { use: "builtin/file", from: ["in"], config: { path: out } } },
    },
  },
});

function lines(from: number, to: number): Uint8Array {
  const all = Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`);
  return new TextEncoder().encode(all.join(""));
}

Deno.test("stdin: every line comes through, in order, and busbar ends with its input", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    await withRun(folder, pipeline(out), async ({ input, process }) => {
      await input.write(lines(0, 100_000));
      await input.close();
      assert.equal((await process.status).code, 0);
    });
    assert.equal(await Deno.readTextFile(out), new TextDecoder().decode(lines(0, 100_000)));
  }));

Deno.test("stdin: a change of the configuration loses nothing that has come in", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    await withRun(folder, pipeline(out), async ({ input, process, stderr }) => {
      let written = 0;
      for (let change = 1; change <= 3; change++) {
        const writing = input.write(lines(written, written += 60_000));
        await waitFor(() => /"Pipeline \\"web\\" is running"/.test(stderr()));
        await writeConfig(folder, pipeline(out, { config: { max_line: change * 100 } }));
        process.kill("SIGHUP");
        await waitFor(() => stderr().match(/Configuration reloaded/g)?.length === change);
        await writing;
      }
      await input.close();
      assert.equal((await process.status).code, 0);
    });
    assert.equal(await Deno.readTextFile(out), new TextDecoder().decode(lines(0, 180_000)));
  }));

Deno.test("stdin: busbar stops while its input goes on", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    await withRun(folder, pipeline(out), async ({ input, process, stderr }) => {
      await input.write(lines(0, 10));
      await waitFor(async () => (await Deno.readTextFile(out).catch(() => "")).length > 0);
      process.kill("SIGTERM");
      assert.equal((await process.status).code, 0, stderr());
    });
    assert.equal(await Deno.readTextFile(out), new TextDecoder().decode(lines(0, 10)));
  }));

Deno.test("stdin: what a buffer has taken is there after a crash of the cell", () =>
  withFolder(async (folder) => {
    const out = join(folder, "out");
    const config = pipeline(out, { buffer: { type: "disk", max_bytes: "64MiB" } });
    await withRun(folder, config, async ({ input, process, stderr }) => {
      await input.write(lines(0, 1000));
      await waitFor(async () => (await Deno.readTextFile(out).catch(() => "")).length > 0);
      const pid = /"Cell ready".*"pid":(\d+)/.exec(stderr())![1];
      await waitFor(async () =>
        (await Deno.readTextFile(out)) === new TextDecoder().decode(lines(0, 1000))
      );
      Deno.kill(Number(pid), "SIGKILL");
      await waitFor(() => stderr().match(/"Cell ready"/g)?.length === 2);
      await input.write(lines(1000, 2000));
      await input.close();
      assert.equal((await process.status).code, 0);
    });
    assert.equal(await Deno.readTextFile(out), new TextDecoder().decode(lines(0, 2000)));
  }));
