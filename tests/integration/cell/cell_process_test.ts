import assert from "node:assert/strict";
import { join } from "node:path";
import { CellProcess, type CellProcessOptions } from "../../../src/cell/cell_process.ts";
import type { CellMessage, CellSpec } from "../../../src/cell/protocol.ts";
import { waitFor } from "../../support/busbar.ts";
import { gone } from "./config.ts";

const CHANNEL = new URL("../../../src/cell/channel.ts", import.meta.url).href;
const SPEC: CellSpec = {
  name: "test",
  logLevel: "info",
  preload: [],
  storeDirectory: "/nowhere",
  plugins: {},
  pipelines: [],
  descriptors: 64,
  suspects: [],
};

interface Seen {
  messages: CellMessage[];
  errors: string[];
  output: string[];
  process: CellProcess;
}

/** Runs `script` as a cell that does what it wants; `connect()` is there for it, and its arguments are a cell's. */
async function withCell(
  script: string,
  test: (seen: Seen) => Promise<void>,
  options: Partial<CellProcessOptions> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "cell.ts");
  const head = `import { connectChannel } from "${CHANNEL}";
    const [, socket] = Deno.args;
    const connect = () => connectChannel(socket);
    const hello = { type: "hello", pid: Deno.pid, build: "b1" };
    const forever = () => Deno.stdin.read(new Uint8Array(1));\n`;
  await Deno.writeTextFile(file, head + script);
  const seen: Omit<Seen, "process"> = { messages: [], errors: [], output: [] };
  const process = new CellProcess({
    executable: {
      command: Deno.execPath(),
      args: ["run", "-A", "--quiet", "--no-check", "--no-config", file],
      release() {},
    },
    spec: SPEC,
    standby: false,
    build: "b1",
    recorder: { path: "/proc/1/fd/1", size: 4096 },
    socketPath: join(folder, "socket"),
    environment: [],
    onOutput: (stream, line) => void seen.output.push(`${stream}: ${line}`),
    onMessage: (message) => void seen.messages.push(message),
    onProtocolError: (message) => void seen.errors.push(message),
    ...options,
  });
  try {
    await test({ ...seen, process });
  } finally {
    process.kill();
    await process.ended;
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a cell gets its spec after hello, then its messages arrive, to the last before it ends", async () => {
  const script = `
    const channel = await connect();
    await channel.send(hello);
    for await (const { type, spec } of channel) {
      console.log(type, spec.name);
      await channel.send({ type: "ready" });
      await channel.send({ type: "pipeline", id: "p", state: "completed" });
      Deno.exit(5);
    }`;
  await withCell(script, async ({ messages, errors, output, process }) => {
    assert.deepEqual(await process.ended, { code: 5, signal: null });
    assert.deepEqual(output, ["stdout: init test"]);
    assert.deepEqual(messages, [{ type: "ready" }, {
      type: "pipeline",
      id: "p",
      state: "completed",
    }]);
    assert.deepEqual(errors, []);
  });
});

for (
  const [what, script, expected] of [
    [
      "garbage",
      `const raw = await Deno.connect({ transport: "unix", path: socket });
       await raw.write(new Uint8Array([255, 255, 255, 255, 0])); await forever();`,
      /its length is 2147483647/,
    ],
    [
      "a message that is none",
      `const channel = await connect(); await channel.send(hello);
       await channel.send({ type: "health", component: "x" }); await forever();`,
      /cell sent what is no message: {"type":"health","component":"x"}/,
    ],
    [
      "another build",
      `const channel = await connect(); await channel.send({ ...hello, build: "b2" }); await forever();`,
      /cell is build "b2", pid \d+, host needs build "b1"/,
    ],
    [
      "a message before hello",
      `const channel = await connect(); await channel.send({ type: "ready" }); await forever();`,
      /cell sent "ready" before "hello"/,
    ],
    [
      "a connection that ends before the cell does",
      `const channel = await connect(); await channel.send(hello); await channel.flush();
       channel.close(); await forever();`,
      /closed its connection and went on/,
    ],
  ] as const
) {
  Deno.test(`${what} is an error of the protocol`, async () => {
    await withCell(script, async ({ errors }) => {
      await waitFor(() => errors.length > 0);
      assert.match(errors[0]!, expected);
    });
  });
}

Deno.test("a cell that dies in the middle of a message breaks no protocol", async () => {
  const script = `const raw = await Deno.connect({ transport: "unix", path: socket });
    await raw.write(new Uint8Array([100, 0, 0, 0, 1])); Deno.kill(Deno.pid, "SIGKILL");`;
  await withCell(script, async ({ errors, process }) => {
    assert.deepEqual(await process.ended, { code: 137, signal: "SIGKILL" });
    assert.deepEqual(errors, []);
  });
});

Deno.test("what a cell started ends with it", async () => {
  const script = `
    const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
    console.log(child.pid); await forever();`;
  await withCell(script, async ({ output, process }) => {
    const line = await waitFor(() => output[0]);
    process.kill();
    assert.equal((await process.ended).signal, "SIGKILL");
    await gone(Number(line.replace("stdout: ", "")));
  });
});

Deno.test("a cell sees only the environment it may, and goes before the host when memory runs out", async () => {
  Deno.env.set("BUSBAR_TEST_SECRET", "1");
  Deno.env.set("BUSBAR_TEST_WANTED", "2");
  try {
    const script = `
      const { LD_BIND_NOW, PATH, BUSBAR_TEST_SECRET, BUSBAR_TEST_WANTED } = Deno.env.toObject();
      console.log(LD_BIND_NOW, PATH !== undefined, BUSBAR_TEST_SECRET, BUSBAR_TEST_WANTED);
      console.log(Deno.readTextFileSync("/proc/self/oom_score_adj").trim());
      console.log(Deno.args.at(-1));`;
    await withCell(script, async ({ output, process }) => {
      await process.ended;
      const own = Number(await Deno.readTextFile("/proc/self/oom_score_adj"));
      assert.deepEqual(output, [
        "stdout: 1 true undefined 2",
        `stdout: ${Math.min(1000, own + 500)}`,
        `stdout: ${Deno.pid}`,
      ]);
    }, { environment: ["BUSBAR_TEST_WANTED"] });
  } finally {
    Deno.env.delete("BUSBAR_TEST_SECRET");
    Deno.env.delete("BUSBAR_TEST_WANTED");
  }
});
