import assert from "node:assert/strict";
import { join } from "node:path";
import { type Busbar, busbarProgram, runBusbar, waitFor, withBusbar } from "../support/busbar.ts";
import { execute, serviceConfig as config } from "../support/services.ts";

/** Once the service answers: the host is ready before its cells are. */
async function ready(busbar: Busbar): Promise<void> {
  assert.equal((await execute(busbar, "echo ready")).status, 200);
}

Deno.test("a service answers the API and the command line", async () => {
  await withBusbar({ config: config() }, async (busbar) => {
    const { status, body } = await execute(busbar, "echo h\u00e9llo");
    assert.deepEqual([status, body.plugin, body.output], [200, "callee", "h\u00e9llo"]);
    assert.ok(body.durationMs > 0);
    const byName = await busbar.fetch("/api/v1/plugins/callee/execute", {
      method: "POST",
      body: "greet",
    });
    assert.equal(byName.body.output, "hello");
    const bytes = await busbar.fetch("/api/v1/plugins/act/execute", {
      method: "POST",
      body: new Uint8Array([...new TextEncoder().encode("echo "), 0xff, 0x00]),
    });
    assert.deepEqual([bytes.body.output, bytes.body.encoding], ["/wA=", "base64"]);

    const file = join(busbar.folder, "busbar.yaml");
    const printed = await runBusbar(["execute", "act", "echo a b\n", "-c", file]);
    assert.deepEqual([printed.code, printed.stdout], [0, "a b\n"]);
    const json = await runBusbar(["execute", "act", "greet", "--json", "-c", file]);
    assert.equal(JSON.parse(json.stdout).output, "hello");
    const refused = await runBusbar(["execute", "act", "what", "-c", file]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Cannot execute service "act": Cannot act: unknown word/);
    const unknown = await runBusbar(["execute", "nothing", "x", "-c", file]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /Unknown service "nothing"/);
    const late = await runBusbar(["execute", "act", "sleep 600", "--timeout", "0.2", "-c", file]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /did not answer within 200 ms/);
  });
});

Deno.test("busbar execute takes its input from standard input", async () => {
  await withBusbar({ config: config() }, async (busbar) => {
    const { command, args } = busbarProgram();
    const process = new Deno.Command(command, {
      args: [...args, "execute", "act", "-c", join(busbar.folder, "busbar.yaml")],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = process.stdin.getWriter();
    await input.write(new TextEncoder().encode("echo from stdin"));
    await input.close();
    const { code, stdout } = await process.output();
    assert.deepEqual([code, new TextDecoder().decode(stdout)], [0, "from stdin"]);
  });
});

Deno.test("errors of a service have their status", async () => {
  await withBusbar(
    { config: config({ max_input: "1KiB", max_output: "1KiB" }) },
    async (busbar) => {
      await ready(busbar);
      const cases: [string, number, string, RegExp][] = [
        ["what", 400, "Invalid", /unknown word/],
        ["fail", 502, "Failed", /It fails/],
        ["x".repeat(2000), 413, "InputTooLarge", /1024 bytes/],
        ["big 2000", 502, "Failed", /2000 bytes, at most 1024/],
        ["crash", 502, "Crashed", /plugin callee 0.1.0 crashed, SIGSEGV/],
        ["wild", 502, "Crashed", /SIGSEGV.*while service act.act was in execute/],
        ["exit", 502, "Crashed", /code 3/],
        ["kill", 502, "Crashed", /SIGKILL/],
        ["fatal", 502, "Crashed", /It is beyond repair/],
      ];
      for (const [input, status, code, message] of cases) {
        const answer = await execute(busbar, input);
        assert.deepEqual([input, answer.status, answer.body.error?.code], [input, status, code]);
        assert.match(answer.body.error.message, message);
        assert.equal((await execute(busbar, "greet")).status, 200, `after ${input}`);
      }
      const late = await execute(busbar, "sleep 300", "?timeout=50ms");
      assert.deepEqual([late.status, late.body.error.code], [504, "Timeout"]);
    },
  );
});

Deno.test("a crash fails that call only", async () => {
  await withBusbar({ config: config() }, async (busbar) => {
    await ready(busbar);
    const others = [1, 2, 3].map((i) => execute(busbar, `sleep ${200 + i}`));
    const waiting = Array.from({ length: 8 }, (_, i) => execute(busbar, `echo ${i}`));
    const crash = execute(busbar, "crash");
    assert.equal((await crash).status, 502);
    for (const { status, body } of await Promise.all(others)) {
      assert.deepEqual([status, body.output], [200, "slept"]);
    }
    const outputs = (await Promise.all(waiting)).map(({ body }) => body.output);
    assert.deepEqual(outputs, ["0", "1", "2", "3", "4", "5", "6", "7"]);
  });
});

Deno.test("more calls than may wait are refused", async () => {
  await withBusbar({ config: config({ concurrency: 1, queue: 1 }) }, async (busbar) => {
    await ready(busbar);
    const calls = Array.from({ length: 6 }, () => execute(busbar, "sleep 300"));
    const statuses = (await Promise.all(calls)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 200, 429, 429, 429, 429]);
  });
});

Deno.test("a service whose plugin is disabled does not run, until it is enabled again", async () => {
  await withBusbar({ config: config() }, async (busbar) => {
    await ready(busbar);
    const act = (action: string) =>
      busbar.fetch(`/api/v1/plugins/callee/${action}`, { method: "POST" });
    assert.equal((await act("disable")).status, 200);
    const refused = await execute(busbar, "greet");
    assert.deepEqual([refused.status, refused.body.error.code], [503, "NotRunning"]);
    assert.equal((await busbar.get("/readyz")).status, "ready");
    assert.equal((await act("enable")).status, 200);
    assert.equal((await execute(busbar, "greet")).body.output, "hello");
    assert.equal((await act("reload")).status, 200);
    assert.equal((await execute(busbar, "greet")).body.output, "hello");
  });
});

Deno.test("a killed cell loses no call that had not come to it", async () => {
  await withBusbar({ config: config({ queue: 100 }) }, async (busbar) => {
    await ready(busbar);
    const [{ cell }] = await busbar.get("/api/v1/services");
    const under = Array.from({ length: 4 }, () => execute(busbar, "sleep 300"));
    const waiting = Array.from({ length: 20 }, (_, i) => execute(busbar, `echo ${i}`));
    Deno.kill(cell.pid, "SIGKILL");
    for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
    for (const { status } of await Promise.all(under)) assert.ok([200, 502].includes(status));
    const [{ restarts }] = await busbar.get("/api/v1/services");
    assert.equal(restarts, 1);
  });
});

Deno.test("a service may share a cell with a busy pipeline and another service", async () => {
  const rest = {
    services: {
      act: { use: "callee/act", cell: "shared" },
      twin: { use: "callee/act", cell: "shared", config: { greeting: "twin" } },
    },
    pipelines: {
      busy: {
        cell: "shared",
        sources: { in: { use: "builtin/generate" } },
        reactions: { out: { use: "builtin/discard", from: "in" } },
      },
    },
  };
  await withBusbar({ config: config({}, rest) }, async (busbar) => {
    await ready(busbar);
    const outputs = await Promise.all(["act", "twin"].map(async (id) => {
      const path = `/api/v1/plugins/${id}/execute`;
      return (await busbar.fetch(path, { method: "POST", body: "greet" })).body.output;
    }));
    assert.deepEqual(outputs, ["hello", "twin"]);
    const several = await busbar.fetch("/api/v1/plugins/callee/execute", {
      method: "POST",
      body: "greet",
    });
    assert.deepEqual([several.status, several.body.error.code], [409, "SeveralServices"]);
    assert.equal((await execute(busbar, "crash")).status, 502);
    assert.equal((await execute(busbar, "greet")).status, 200);
    const { components } = await busbar.pipeline("busy", ({ status }) => status === "running");
    assert.ok(components[0].eventsOut > 0);
  });
});

Deno.test("a reload fails no call", async () => {
  await withBusbar({ config: config({ queue: 1000 }) }, async (busbar) => {
    await ready(busbar);
    const file = join(busbar.folder, "busbar.yaml");
    const text = await Deno.readTextFile(file);
    let running = true;
    let calls = 0;
    const greetings = new Set<string>();
    const load = Array.from({ length: 8 }, async () => {
      while (running) {
        const { status, body } = await execute(busbar, calls % 2 === 0 ? "greet" : "sleep 5");
        assert.equal(status, 200, JSON.stringify(body));
        if (body.output !== "slept") greetings.add(body.output);
        calls++;
      }
    });
    for (const greeting of ["servus", "ahoj", "ciao"]) {
      await Deno.writeTextFile(
        file,
        text.replace("use: callee/act", `use: callee/act\n    config: { greeting: ${greeting} }`),
      );
      busbar.kill("SIGHUP");
      await waitFor(() => greetings.has(greeting), { what: greeting, busbar });
    }
    running = false;
    await Promise.all(load);
    assert.deepEqual([...greetings], ["hello", "servus", "ahoj", "ciao"]);
    assert.ok(calls > 20);
  });
});
