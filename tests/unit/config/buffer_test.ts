import assert from "node:assert/strict";
import { resolvePipelines } from "../../../src/config/graph_check.ts";
import { brief, catalog, faults, load } from "./support.ts";

function withBuffer(buffer: string): string {
  return `pipelines:
  web:
    sources: { in: { use: builtin/generate, buffer: ${buffer} } }
    reactions: { out: { use: builtin/discard, from: in } }
`;
}

async function bufferOf(text: string): Promise<unknown> {
  const [web] = await resolvePipelines(await load(text), catalog);
  return web!.components[0]!.buffer;
}

Deno.test("a source's buffer has defaults, sizes in bytes, and is absent unless asked for", async () => {
  assert.deepEqual(await bufferOf(withBuffer("{ type: disk }")), {
    maxBytes: 2 ** 30,
    whenFull: "block",
  });
  for (const whenFull of ["block", "drop_oldest", "reject"]) {
    const text = withBuffer(`{ type: disk, max_bytes: 64KiB, when_full: ${whenFull} }`);
    assert.deepEqual(await bufferOf(text), { maxBytes: 65536, whenFull });
  }
  const none = withBuffer("").replace(", buffer: ", "");
  assert.equal(await bufferOf(none), null);
});

Deno.test("a buffer of another kind, too small or with another when_full is refused", async () => {
  const found = async (buffer: string) => brief(await faults(withBuffer(buffer)));
  const where = "pipelines.web.sources.in.buffer";
  assert.match((await found("{ type: memory }"))[0]!, new RegExp(`"disk".*${where}.type`));
  assert.match((await found("{}"))[0]!, new RegExp(`${where}`));
  assert.match(
    (await found("{ type: disk, max_bytes: 1KiB }"))[0]!,
    /Cannot use "1KiB": must be at least 64KiB/,
  );
  assert.match(
    (await found("{ type: disk, when_full: drop }"))[0]!,
    new RegExp(`drop_oldest.*${where}.when_full`),
  );
});
