import assert from "node:assert/strict";
import { buildInfo } from "../../src/build_info.ts";

Deno.test("buildInfo() says that sources run uncompiled, whatever an earlier build left in dist", () => {
  const { buildId, version, deno, target } = buildInfo();
  assert.deepEqual([buildId, deno, target], ["development", Deno.version.deno, Deno.build.target]);
  assert.match(version, /^\d+\.\d+\.\d+/);
});
