import assert from "node:assert/strict";
import { join } from "node:path";
import {
  ConformanceError,
  planRecords,
  planRequest,
  planStep,
  readFixtures,
} from "../../../src/conformance/fixtures.ts";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const text = (bytes: string) => new TextDecoder().decode(Uint8Array.fromBase64(bytes));

Deno.test("readFixtures() looks beside the library, then in the project it was built in", () =>
  withFolder(async (folder) => {
    const dist = join(folder, "dist", "name");
    await Deno.mkdir(dist, { recursive: true });
    const library = join(dist, "libbusbar_source_name.so");
    assert.equal(await readFixtures(library), undefined);
    await Deno.writeTextFile(join(folder, "conformance.json"), '{"components":{"project":{}}}');
    assert.deepEqual(Object.keys((await readFixtures(library))!.components), ["project"]);
    await Deno.writeTextFile(join(dist, "conformance.json"), '{"components":{"beside":{}}}');
    assert.deepEqual(Object.keys((await readFixtures(library))!.components), ["beside"]);
  }));

Deno.test("readFixtures() refuses a file that is missing, no JSON, or not of its form", () =>
  withFolder(async (folder) => {
    const file = join(folder, "f.json");
    const refused = (reason: RegExp) =>
      assert.rejects(readFixtures("unused", file), (error) => {
        assert.ok(error instanceof ConformanceError);
        assert.match(error.message, /^Cannot read fixtures "/);
        assert.match(error.message, reason);
        return true;
      });
    await refused(/No such file/);
    await Deno.writeTextFile(file, "{");
    await refused(/not JSON/);
    await Deno.writeTextFile(file, '{"components":{"a":{"confg":{}}}}');
    await refused(/confg/);
  }));

Deno.test("planRecords() encodes text, bytes and JSON, and repeats", () =>
  withFolder(async (folder) => {
    const file = join(folder, "f.json");
    const input = [
      { payload: "ä", key: "k", attributes: { a: "b" }, operation: "update", repeat: 2 },
      { payload: { base64: "AP8=" }, content_type: "bytes" },
      { payload: { a: 1 } },
    ];
    const requests = [{ headers: { accept: "x" }, body: "b" }];
    const feed = [{ append: "a.log", data: "x" }, { udp: "127.0.0.1:${port}", data: "y" }];
    const fixture = { input, requests, feed };
    await Deno.writeTextFile(file, JSON.stringify({ components: { c: fixture } }));
    const read = (await readFixtures("unused", file))!.components.c!;
    const [first, second, third, fourth] = planRecords(read.input!);
    assert.equal(text(first!.payload), "ä");
    assert.deepEqual(second, first);
    assert.deepEqual([first!.operation, first!.content_type, first!.attributes], [2, 1, [[
      "a",
      "b",
    ]]]);
    assert.deepEqual([third!.payload, third!.content_type], ["AP8=", 0]);
    assert.deepEqual([text(fourth!.payload), fourth!.content_type], ['{"a":1}', 2]);
    assert.deepEqual(planRequest(read.requests![0]!), {
      method: "GET",
      path: "/",
      query: "",
      headers: [["accept", "x"]],
      body: btoa("b"),
    });
    assert.deepEqual(read.feed.map(planStep), [
      { append: "${dir}/a.log", base64: btoa("x") },
      { udp: "127.0.0.1:${port}", base64: btoa("y") },
    ]);
  }));
