import assert from "node:assert/strict";
import { LINE_MAX, readLines } from "../../../src/cell/lines.ts";

async function lines(...chunks: (string | Uint8Array<ArrayBuffer>)[]): Promise<string[]> {
  const found: string[] = [];
  const bytes = chunks.map((chunk) =>
    typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
  );
  await readLines(ReadableStream.from(bytes), (line) => found.push(line));
  return found;
}

Deno.test("readLines() gives whole lines, however they are cut into chunks, and the last without its end", async () => {
  assert.deepEqual(await lines("one\ntw", "o\r\n", "\nlast"), ["one", "two", "", "last"]);
  assert.deepEqual(await lines(), []);
  assert.deepEqual(await lines("done\n"), ["done"]);
});

Deno.test("readLines() cuts lines that are too long, and replaces what is not UTF-8", async () => {
  const long = await lines("x".repeat(LINE_MAX + 1), "y\n", "z\n");
  assert.deepEqual(long.map((line) => line.length), [LINE_MAX, 2, 1]);
  assert.deepEqual(await lines(new Uint8Array([0x61, 0xff, 0x0a])), ["a\ufffd"]);
});

Deno.test("readLines() gives what it has when the stream breaks", async () => {
  const found: string[] = [];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (found.length > 0) return controller.error(new Error("broken"));
      controller.enqueue(new TextEncoder().encode("whole\nhalf"));
    },
  }, { highWaterMark: 0 });
  await readLines(stream, (line) => found.push(line));
  assert.deepEqual(found, ["whole", "half"]);
});

Deno.test("readLines() lets other work in, however fast lines come", async () => {
  let count = 0;
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await readLines(ReadableStream.from([new Uint8Array(2_000).fill(10)]), () => count++);
  clearInterval(timer);
  assert.equal(count, 2_000);
  assert.ok(turns >= 4, `${turns} turns`);
});
