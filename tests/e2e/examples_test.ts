/** Runs the examples of docs/examples as their READMEs say; http_endpoint_test.ts runs the one with a plugin. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../scripts/lib/build_plugins.ts";
import { listFiles } from "../../scripts/lib/files.ts";
import { busbarProgram, runBusbar, waitFor } from "../support/busbar.ts";
import { EXAMPLES, receiver, withExample } from "../support/examples.ts";
import { ask, httpAddress } from "../support/http.ts";

// deno-lint-ignore no-explicit-any
function jsonLines(text: string): any[] {
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** The events in the files of a folder whose names begin in this way, once there are so many. */
// deno-lint-ignore no-explicit-any
async function written(folder: string, name: string, count: number): Promise<any[]> {
  return await waitFor(async () => {
    const files = (await listFiles(folder).catch(() => [])).filter((file) =>
      file.startsWith(join(folder, name))
    );
    const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
    const events = texts.flatMap(jsonLines);
    return events.length >= count && events;
  }, { what: `${count} events in ${name}` });
}

Deno.test("examples: each has config tests, which pass and leave nothing behind", async () => {
  const plugins = await Deno.makeTempDir({ prefix: "busbar_test_" });
  try {
    await buildPlugin({ folder: join(EXAMPLES, "http_endpoint/plugin"), outDir: plugins });
    const before = await listFiles(EXAMPLES);
    const names = [...Deno.readDirSync(EXAMPLES)]
      .filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => name);
    assert.ok(names.length >= 5);
    const files = names.map((name) => join(EXAMPLES, name, `${name}.test.yaml`));
    const output = await runBusbar(["test", ...files, "--plugin-dir", plugins]);
    assert.equal(output.code, 0, output.stdout + output.stderr);
    assert.deepEqual(await listFiles(EXAMPLES), before);
  } finally {
    await Deno.remove(plugins, { recursive: true });
  }
});

/** Ten minutes of requests, one each second; each fiftieth fails, each tenth is a health check. */
function accessLog(): string {
  const lines = Array.from({ length: 600 }, (_, second) => {
    const minute = `${Math.floor(second / 60)}`.padStart(2, "0");
    const time = `02/Mar/2026:10:${minute}:${`${second % 60}`.padStart(2, "0")} +0100`;
    const path = second % 10 === 5 ? "/health" : second % 2 === 0 ? "/shop/cart" : "/?page=2";
    const status = second % 50 === 0 ? 502 : 200;
    return `10.0.0.${second % 7} - - [${time}] "GET ${path} HTTP/1.1" ${status} 100 0.${
      second % 9
    }\n`;
  });
  return lines.toSpliced(300, 0, "this is no request\n").join("");
}

Deno.test("examples: log_analytics reports minutes and failures of a log, and goes on where it was", async () => {
  const log = await Deno.makeTempFile({ prefix: "busbar_example_" });
  try {
    await Deno.writeTextFile(log, accessLog());
    await withExample("log_analytics", {
      env: (folder) => ({ ACCESS_LOG: log, REPORTS: folder }),
    }, async ({ busbar, folder }) => {
      // All but the last minute, which is still open, of two parts of the site.
      const minutes = await written(folder, "minutes", 18);
      assert.equal(minutes.length, 18);
      assert.ok(minutes.every(({ final }) => final));
      const shop = minutes.filter(({ key }) => key === "/shop");
      assert.deepEqual(shop.map(({ requests }) => requests), Array(9).fill(30));
      const others = minutes.filter(({ key }) => key === "/");
      assert.deepEqual(others.map(({ requests }) => requests), Array(9).fill(24));
      assert.deepEqual(shop[0].window, {
        start: "2026-03-02T09:00:00.000Z",
        end: "2026-03-02T09:01:00.000Z",
      });
      const { errors, clients, traffic } = shop[0];
      assert.deepEqual({ errors, clients, traffic }, { errors: 2, clients: 7, traffic: 3000 });

      await Deno.writeTextFile(
        log,
        '10.0.0.1 - - [02/Mar/2026:10:11:00 +0100] "GET / HTTP/1.1" 503 - 2.5\n',
        { append: true },
      );
      assert.equal((await written(folder, "minutes", 20)).length, 20);
      const failures = await written(folder, "errors", 13);
      assert.equal(failures.length, 13);
      assert.deepEqual([failures[12].status, failures[12].bytes], [503, null]);

      const letter = await waitFor(async () => {
        const { letters } = await busbar.get("/api/v1/pipelines/web/dead-letters");
        return letters[0] as { component: string; code: string };
      }, { what: "a dead letter", busbar });
      assert.deepEqual([letter.component, letter.code], ["parsed", "Invalid"]);
    });
  } finally {
    await Deno.remove(log);
  }
});

Deno.test("examples: webhook_fanout keeps what a receiver does not take, and sends it again", async () => {
  let billingWorks = false;
  await using billing = receiver(() => billingWorks ? 200 : 503);
  await using warehouse = receiver(({ headers }) => headers.get("x-order") === "odd" ? 422 : 200);
  await withExample("webhook_fanout", {
    env: (folder) => ({
      ARCHIVE: folder,
      BILLING_URL: `${billing.url}/entries`,
      WAREHOUSE_URL: warehouse.url,
      SHOP_SECRET: "example secret",
      RETRY_INITIAL: "5ms",
    }),
  }, async ({ busbar, folder }) => {
    const url = `${await httpAddress(busbar)}/hooks/shop`;
    const send = async (event: Record<string, unknown>) => {
      const body = JSON.stringify(event);
      const headers = {
        "content-type": "application/json",
        "x-signature": await hmac("example secret", body),
      };
      const { status } = await ask(url, { method: "POST", body, headers });
      assert.equal(status, 202);
    };
    assert.equal((await ask(url, { method: "POST", body: "{}" })).status, 401);
    await send({ id: 1, type: "paid", order: "A1", amount: 20 });
    await send({ id: 1, type: "paid", order: "A1", amount: 20 });
    await send({ id: 2, type: "refunded", order: "A1", amount: 5 });
    await send({ id: 3, type: "cancelled", order: "odd" });
    await send({ id: 4, type: "cancelled", order: "A2" });

    await waitFor(() => warehouse.accepted.length === 2, { what: "the warehouse", busbar });
    assert.deepEqual(
      warehouse.accepted.map(({ path, headers }) => [path, headers.get("x-order")]),
      [["/paid", "A1"], ["/cancelled", "A2"]],
    );
    assert.equal((await written(folder, "", 5)).length, 5);

    const letters = await waitFor(async () => {
      const { letters } = await busbar.get("/api/v1/pipelines/shop/dead-letters");
      return letters.length === 3 && letters as { component: string; code: string }[];
    }, { what: "dead letters", busbar });
    assert.deepEqual(letters.map(({ component, code }) => `${component} ${code}`).sort(), [
      "billing Failed",
      "billing Failed",
      "warehouse Invalid",
    ]);

    billingWorks = true;
    const data = ["--data-dir", join(busbar.folder, "data")];
    const replay = ["dlq", "replay", "shop", "--component", "billing", ...data];
    const replayed = await runBusbar(replay);
    assert.deepEqual([replayed.code, replayed.stdout], [0, "2 dead letters to be replayed\n"]);
    await waitFor(() => billing.accepted.length === 2, { what: "billing", busbar });
    assert.deepEqual(billing.accepted.map(({ body }) => body), [
      { order: "A1", amount: 20 },
      { order: "A1", amount: -5 },
    ]);
  });
});

async function hmac(secret: string, text: string): Promise<string> {
  const bytes = (value: string) => new TextEncoder().encode(value);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes(secret), algorithm, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(text))).toHex();
}

Deno.test("examples: sensor_alerts tells of a hot room once, and sets late readings aside", async () => {
  await using pager = receiver();
  await withExample("sensor_alerts", {
    env: (folder) => ({ HISTORY: folder, PAGER_URL: `${pager.url}/alerts` }),
  }, async ({ busbar, folder }) => {
    const url = `${await httpAddress(busbar)}/readings`;
    const send = async (...readings: [sensor: string, celsius: number, at: string][]) => {
      const lines = readings.map(([sensor, celsius, at]) =>
        JSON.stringify({ sensor, celsius, at: `2026-03-02T${at}Z` }) + "\n"
      );
      const answer = await ask(url, { method: "POST", body: lines.join("") });
      assert.deepEqual([answer.status, answer.text], [202, `{"accepted":${readings.length}}`]);
    };
    await send(["kitchen", 31, "10:00:10"], ["kitchen", 33.5, "10:00:40"]);
    await send(["hall", 20, "10:01:30"]);
    // In order of the gateways, not of the sensors: it is not too late for this one.
    await send(["kitchen", 32, "10:00:50"], ["kitchen", 999, "10:00:55"]);
    await send(["kitchen", 20, "10:03:00"]);
    await waitFor(() => pager.accepted.length === 1, { what: "an alert", busbar });
    assert.deepEqual(pager.accepted[0]!.body, {
      title: "kitchen is too hot",
      mean: 96.5 / 3,
      until: "2026-03-02T10:01:00.000Z",
    });
    const means = "2"; // the first digit of the day of writing
    const [first] = await written(folder, means, 1);
    assert.deepEqual([first.key, first.readings, first.least, first.most], [
      "kitchen",
      3,
      31,
      33.5,
    ]);

    await send(["hall", 21, "09:30:00"], ["hall", 20, "10:04:00"]);
    const late = await written(folder, "late", 1);
    assert.deepEqual(late, [{ sensor: "hall", celsius: 21, at: "2026-03-02T09:30:00Z" }]);
    await written(folder, means, 3);
    assert.equal(pager.accepted.length, 1, "the next window is hot as well, and is not told");
  });
});

Deno.test("examples: all_builtin keeps what is slow and ends with its input", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_example_" });
  try {
    await Deno.copyFile(join(EXAMPLES, "all_builtin/busbar.yaml"), join(folder, "busbar.yaml"));
    const { command, args } = busbarProgram();
    const process = new Deno.Command(command, {
      args: [...args, "run", "--until-done", "--set", "server.port=0"],
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const input = Array.from({ length: 50_000 }, (_, at) => {
      const status = at % 1000 === 1 ? 503 : 200;
      return `time=2026-03-02T10:00:00Z n=${at} status=${status} ms=${at % 500}\n`;
    });
    const output = process.output();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input.join("") + "hello\n"));
    await writer.close();
    const { code, stderr } = await output;
    assert.equal(code, 0, new TextDecoder().decode(stderr));

    const kept = jsonLines(await Deno.readTextFile(join(folder, "slow.ndjson")));
    // Of 500, 249 take more than 250 ms; of 1000, one fails in less.
    assert.equal(kept.length, 100 * 249 + 50);
    assert.deepEqual(
      kept[0],
      { time: "2026-03-02T10:00:00Z", n: "1", status: 503, ms: 1 },
    );
    const list = ["dlq", "list", "lines", "-c", join(folder, "busbar.yaml"), "--json"];
    const listed = await runBusbar(list);
    assert.equal(JSON.parse(listed.stdout).total, 1, listed.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
