import assert from "node:assert/strict";
import { statOrNothing } from "../../../scripts/lib/files.ts";
import { buildPrograms } from "../../bench/lib/programs.ts";

Deno.test("what the benchmark runs can be built against the present header", async () => {
  const folder = await Deno.makeTempDir({ prefix: "busbar_bench_programs_" });
  try {
    for (const path of Object.values(await buildPrograms(folder))) {
      assert.ok(await statOrNothing(path), path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
