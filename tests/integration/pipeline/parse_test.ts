import assert from "node:assert/strict";
import { join } from "node:path";
import { collect, collected, numbers, runToEnd, upTo, withFolder } from "./support.ts";

Deno.test("parse makes JSON of what native sources give, for the expressions behind it", () =>
  withFolder(async (folder) => {
    const file = join(folder, "out");
    await runToEnd({
      web: {
        sources: { numbers: numbers(5000) },
        processors: {
          parsed: {
            use: "builtin/parse",
            from: ["numbers"],
            config: { format: "regex", pattern: "^(?<n>\\d+)", types: { n: "int" } },
          },
          even: {
            use: "builtin/filter",
            from: ["parsed"],
            config: { where: "payload.n % 2 == 0" },
          },
        },
        reactions: { out: collect(["even"], { file }) },
      },
    });
    assert.deepEqual(
      (await collected(file)).map(({ sequence, payload }) => [sequence, payload]),
      upTo(5000).filter((n) => n % 2 === 0).map((n) => [n, `{"n":${n}}`]),
    );
  }));
