/** The tests of the Go SDK and of its examples, as their authors would run them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT, runProgram, withFolder } from "../support/c_program.ts";
import { follow } from "../support/tutorial.ts";

const MODULES = [
  { folder: "ffi/go", packages: ["busbar", "busbar/internal/layout"] },
  { folder: "ffi/examples/word_count/go", packages: ["word-count-go"] },
  { folder: "ffi/examples/pass_through/go", packages: ["pass-through-go"] },
  { folder: "plugins/syslog_listen", packages: ["syslog-listen"] },
];

for (const { folder, packages } of MODULES) {
  Deno.test(`go test, go vet and gofmt find nothing in ${folder}`, async (t) => {
    const module = join(PROJECT, folder);
    await t.step("go vet", async () => {
      const { success, stderr } = await runProgram("go", ["-C", module, "vet", "./..."]);
      assert.ok(success, stderr);
    });
    await t.step("gofmt", async () => {
      const { success, stdout, stderr } = await runProgram("gofmt", ["-l", module]);
      assert.ok(success, stderr);
      assert.equal(stdout, "", "not formatted");
    });
    const { stdout, stderr } = await runProgram("go", ["-C", module, "test", "-json", "./..."]);
    const events = stdout.trim().split("\n").map((line) => JSON.parse(line) as TestEvent);
    for (const name of packages) {
      const own = events.filter((event) => event.Package === name);
      const output = own.map((event) => event.Output ?? "").join("");
      await t.step(name, () => {
        assert.equal(own.at(-1)?.Action, "pass", output + stderr);
        assert.ok(!own.some((event) => event.Action === "skip"), output);
      });
    }
  });
}

Deno.test("docs/sdk/go.md: its program does what the page says", async () => {
  await withFolder(async (folder) => {
    await follow(join(PROJECT, "docs/sdk/go.md"), { folder, bin: join(PROJECT, "dist") });
  });
});

/** A line of `go test -json`. */
interface TestEvent {
  Action: string;
  Package?: string;
  Test?: string;
  Output?: string;
}
