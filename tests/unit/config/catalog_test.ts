import assert from "node:assert/strict";
import { type Catalog, lookUp, messageAt } from "../../../src/config/catalog.ts";

const catalog: Catalog = {
  plugins: [{
    name: "builtin",
    version: "1.0.0",
    components: [{ kind: "source", name: "stdin" }, { kind: "reaction", name: "file" }],
    leftOut: ["source/file", "source/cron", "hook/rate-limit"],
  }],
};

Deno.test("lookUp() says of a component that was left out what this program was built with", () => {
  for (
    const [use, kind, name] of [
      ["builtin/cron", "source", "cron"],
      ["builtin/file", "source", "file"],
      ["builtin/rate_limit", "hook", "rate-limit"],
    ] as const
  ) {
    const found = lookUp(catalog, use, kind);
    assert.ok("message" in found);
    assert.equal(
      messageAt(found, "pipelines.a.use"),
      `Cannot use ${kind} "builtin/${name}" in pipelines.a.use: it is not in this binary, which was ` +
        "built with --builtins source/stdin,reaction/file",
    );
    assert.equal(
      found.suggestion,
      "use a binary with all, or build one with scripts/build --builtins " +
        `source/stdin,reaction/file,${kind}/${name}`,
    );
  }
});

Deno.test("lookUp() still tells a name that nothing has, or that is of another kind", () => {
  const unknown = lookUp(catalog, "builtin/stdn", "source");
  assert.deepEqual(unknown, {
    message: 'Unknown source "stdn" of plugin "builtin"',
    suggestion: 'did you mean "stdin"?',
  });
  const wrong = lookUp(catalog, "builtin/cron", "reaction");
  assert.equal("message" in wrong && wrong.message, 'Unknown reaction "cron" of plugin "builtin"');
});

Deno.test("lookUp() says that a program was built with none", () => {
  const none = { plugins: [{ ...catalog.plugins[0]!, components: [] }] };
  const found = lookUp(none, "builtin/cron", "source");
  assert.ok("message" in found);
  assert.match(found.reason!, /built with --builtins none$/);
  assert.match(found.suggestion!, /--builtins source\/cron$/);
});
