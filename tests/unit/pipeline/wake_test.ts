import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import type { BuiltinContext } from "../../../src/component/builtin.ts";
import { withPipeline } from "./harness.ts";

Deno.test("a source that wakes has its turn at once, not after the next sleep", () => {
  let context: BuiltinContext | undefined;
  let polls = 0;
  return withPipeline(
    {
      in: {
        kind: "source",
        make: (own) => {
          context = own;
          return {
            poll() {
              polls++;
              return Status.AGAIN;
            },
          };
        },
      },
      out: { kind: "reaction", from: ["in"], make: { write: () => Status.OK } },
    },
    {},
    async (harness) => {
      await harness.pass(500);
      assert.ok(harness.turn() > harness.clock, "nothing is due");
      const before = polls;
      context!.wake();
      assert.equal(harness.pipeline.step(), false, "a wake is looked at with everything else");
      assert.ok(harness.pipeline.service() <= harness.clock, "it does not sleep now");
      harness.pipeline.step();
      assert.equal(polls, before + 1);
      assert.ok(harness.pipeline.service() > harness.clock, "it sleeps again");
    },
  );
});
