import assert from "node:assert/strict";
import { readCounts, readFailures, splitArguments } from "../../../scripts/lib/run_tests.ts";

Deno.test("readCounts() reads the last summary, coloured or not", () => {
  assert.deepEqual(readCounts("a ... ok (1ms)\n\nok | 12 passed | 0 failed (1s)\n", 0), {
    passed: 12,
    failed: 0,
  });
  const coloured =
    "ok | 9 passed | 0 failed\n\u001b[0m\u001b[31mFAILED\u001b[0m | 1 passed (2 steps) | 2 failed | " +
    "1 ignored \u001b[0m(72ms)\u001b[0m\n";
  assert.deepEqual(readCounts(coloured, 1), { passed: 1, failed: 2 });
});

Deno.test("readCounts() counts a run that died or did not compile as a failure", () => {
  assert.deepEqual(readCounts("error: Type checking failed.\n", 1), { passed: 0, failed: 1 });
  assert.deepEqual(readCounts("ok | 3 passed | 0 failed (1s)\n", 139), { passed: 3, failed: 1 });
});

Deno.test("splitArguments() tells paths from options and their values", () => {
  assert.deepEqual(splitArguments(["--filter", "a b", "tests/unit", "--fail-fast"]), {
    paths: ["tests/unit"],
    options: ["--filter", "a b", "--fail-fast"],
  });
});

Deno.test("readFailures() shows errors and names of the tests that failed, or the end of a run that died", () => {
  const report =
    "\u001b[0m\n ERRORS \n\na => a_test.ts:1:1\nerror: Error: boom\n\n FAILURES \n\na => a_test.ts:1:1\n";
  assert.equal(
    readFailures(
      `a ... FAILED (1ms)\nb ... ok (1ms)\n${report}\nFAILED | 1 passed | 1 failed (7ms)\n`,
      1,
    ),
    "ERRORS \n\na => a_test.ts:1:1\nerror: Error: boom\n\n FAILURES \n\na => a_test.ts:1:1",
  );
  assert.equal(readFailures("ok | 3 passed | 0 failed (1s)\n", 0), "");
  assert.equal(readFailures("a ... ok\nb ...", 139), "a ... ok\nb ...");
});
