import assert from "node:assert/strict";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import type { Catalog } from "../../../src/config/catalog.ts";
import { formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { checkConfig, resolvePipelines } from "../../../src/config/graph_check.ts";
import type { LoadOptions } from "../../../src/config/load.ts";
import { brief, load } from "./support.ts";

const catalog: Catalog = { plugins: [BUILTIN_MANIFEST] };

/** A pipeline with a processor `p` and what reads it. */
function configuration(processor: string, from = "p"): string {
  return `pipelines:
  web:
    sources: { in: { use: builtin/generate } }
    processors:
      p:
        from: in
${processor.split("\n").map((line) => `        ${line}`).join("\n")}
    reactions:
      out: { use: builtin/discard, from: ${from} }
`;
}

async function found(text: string, options: Partial<LoadOptions> = {}): Promise<string> {
  const diagnostics = await checkConfig(await load(text, options), catalog);
  return diagnostics.map((one) => formatDiagnostic(one)).join("\n");
}

Deno.test("an expression's fault is shown where it stands in the file", async () => {
  assert.equal(
    await found(configuration(`use: builtin/filter
config: { where: payload.n > 1 && paylod.x }`)),
    `busbar.yaml:8:43: error: Unknown variable "paylod" in pipelines.web.processors.p.config.where
    8 |         config: { where: payload.n > 1 && paylod.x }
      |                                           ^^^^^^
  did you mean "payload"?`,
  );
  assert.equal(
    await found(configuration(`use: builtin/map
config:
  set:
    a: "text.size() + \\"x\\""
    b: 'key + ''x'' + kee'
  key: >-
    key +
      sequnce
  payload: |
    {
      "a": key.foo(),
    }`)),
    String
      .raw`busbar.yaml:10:17: error: No such overload: int + string in pipelines.web.processors.p.config.set.a
   10 |             a: "text.size() + \"x\""
      |                 ^^^^^^^^^^^^^^^^^^
busbar.yaml:11:31: error: Unknown variable "kee" in pipelines.web.processors.p.config.set.b
   11 |             b: 'key + ''x'' + kee'
      |                               ^^^
  did you mean "key"?
busbar.yaml:14:15: error: Unknown variable "sequnce" in pipelines.web.processors.p.config.key
   14 |               sequnce
      |               ^^^^^^^
  did you mean "sequence"?
busbar.yaml:17:24: error: Unknown function "foo" in pipelines.web.processors.p.config.payload
   17 |               "a": key.foo(),
      |                        ^^^`,
  );
});

Deno.test("an expression's fault is shown at the whole value where something was put in", async () => {
  const text = configuration(`use: builtin/filter
config: { where: "$\{FIELD} > 1" }`);
  assert.deepEqual(
    brief(await checkConfig(await load(text, { env: { FIELD: "paylod.n" } }), catalog)),
    ['8:26 Unknown variable "paylod" in pipelines.web.processors.p.config.where'],
  );
  assert.equal(await found(text, { env: { FIELD: "payload.n" } }), "");
  const sets = ["pipelines.web.processors.p.config.where=kee"];
  assert.equal(
    await found(configuration("use: builtin/filter\nconfig: { where: key }"), { sets }),
    `--set pipelines.web.processors.p.config.where: error: Unknown variable "kee" in pipelines.web.processors.p.config.where
  did you mean "key"?`,
  );
});

Deno.test("an expression must give what its setting wants", async () => {
  const errors = async (processor: string) =>
    brief(await checkConfig(await load(configuration(processor)), catalog));
  assert.deepEqual(await errors("use: builtin/filter\nconfig: { where: size }"), [
    "8:26 Expected true or false, this gives int in pipelines.web.processors.p.config.where",
  ]);
  assert.deepEqual(await errors("use: builtin/filter\nconfig: { where: '' }"), [
    "8:26 The expression ends too early in pipelines.web.processors.p.config.where",
  ]);
  assert.deepEqual(await errors("use: builtin/filter\nconfig: { where: 7 }"), [
    "8:26 Expected text for pipelines.web.processors.p.config.where, found the number 7",
  ]);
  assert.deepEqual(await errors("use: builtin/sample"), [
    '5:7 Missing "every" in pipelines.web.processors.p.config',
  ]);
});

Deno.test("routes name the outputs of their processor", async () => {
  const route = `use: builtin/route
config: { routes: { big: size > 9, small: size < 3 } }`;
  assert.equal(
    await found(configuration(route)),
    `busbar.yaml:5:7: warning: Nothing reads processor "p": its events go nowhere
    5 |       p:
      |       ^
busbar.yaml:10:42: error: Missing output of processor "p" in pipelines.web.reactions.out.from
   10 |       out: { use: builtin/discard, from: p }
      |                                          ^
  there are: p.else, p.big, p.small`,
  );
  assert.equal(
    await found(configuration(route, "[p.big, p.smal, p.else]")),
    `busbar.yaml:8:44: warning: Nothing reads output "small" of processor "p": its events go nowhere
    8 |         config: { routes: { big: size > 9, small: size < 3 } }
      |                                            ^^^^^
busbar.yaml:10:50: error: Unknown output "smal" of processor "p" in pipelines.web.reactions.out.from[1]
   10 |       out: { use: builtin/discard, from: [p.big, p.smal, p.else] }
      |                                                  ^^^^^^
  did you mean "small"?`,
  );
  const [resolved] = await resolvePipelines(
    await load(configuration(route, "[p.small, p.else]")),
    catalog,
  );
  assert.deepEqual(resolved!.components[1]!.outputs, ["else", "big", "small"]);
  assert.deepEqual(resolved!.components[2]!.from.map(({ output }) => output), [2, 0]);
});

Deno.test("a route has no name of its own for the rest", async () => {
  const text = configuration(
    "use: builtin/route\nconfig: { routes: { else: 'true' } }",
    "p.else",
  );
  assert.match(await found(text), /error: Cannot use the name "else" in .*routes/);
});

Deno.test("outputs at the end that nobody reads are left out, but of built-in components alone", async () => {
  const filter = "use: builtin/filter\nconfig: { where: 'true' }";
  const outputs = async (from: string) => {
    const loaded = await load(configuration(filter, from));
    const [resolved] = await resolvePipelines(loaded, catalog);
    return resolved!.components[1]!.outputs;
  };
  assert.deepEqual(await outputs("p"), ["out"]);
  assert.deepEqual(await outputs("p.out"), ["out"]);
  assert.deepEqual(await outputs("p.rejected"), ["out", "rejected"]);
});

Deno.test("an expression over what another setting names knows those names, and nothing else", async () => {
  assert.equal(
    await found(configuration(`use: builtin/window
config:
  size: 1m
  aggregates: { requests: { count: "true" }, worst: { max: payload.ms } }
  having: requests > 10 && wors > 2.0 && payload.x`)),
    `busbar.yaml:11:36: error: Unknown variable "wors" in pipelines.web.processors.p.config.having
   11 |           having: requests > 10 && wors > 2.0 && payload.x
      |                                    ^^^^
  did you mean "worst"?`,
  );
  assert.equal(
    await found(configuration(`use: builtin/window
config:
  size: 1m
  aggregates: { requests: { count: "true" }, worst: { max: payload.ms } }
  having: requests > 10 && worst > 2.5 && key != "" && start < end`)),
    "",
  );
});

Deno.test("an aggregate has one function, and a name that an expression can have", async () => {
  assert.equal(
    await found(configuration(`use: builtin/window
config:
  size: 1m
  aggregates:
    map: { count: true }
    both: { sum: payload.x, max: payload.x }
  having: both > 1.5`)),
    `busbar.yaml:11:13: error: Cannot use the name "map" in pipelines.web.processors.p.config.aggregates
   11 |             map: { count: true }
      |             ^^^
  allowed: a letter, then letters, digits and _, at most 63 in all, and no name of CEL, such as a type's
busbar.yaml:12:19: error: Expected exactly one of count, sum, avg, min, max, percentile, first, last, distinct, collect in pipelines.web.processors.p.config.aggregates.both
   12 |             both: { sum: payload.x, max: payload.x }
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^`,
  );
});
