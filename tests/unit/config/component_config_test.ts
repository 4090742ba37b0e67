import assert from "node:assert/strict";
import type { Catalog } from "../../../src/config/catalog.ts";
import { formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { checkConfig, resolvePipelines } from "../../../src/config/graph_check.ts";
import type { LoadOptions } from "../../../src/config/load.ts";
import { brief, catalog, load, pipeline } from "./support.ts";

const source = (config: string) => `sources: { in: { use: builtin/generate, config: ${config} } }`;

/** The final settings of the source. */
async function settings(config: string, head = "", options: Partial<LoadOptions> = {}) {
  const loaded = await load(`${head}pipelines:\n${pipeline(source(config))}`, options);
  const [resolved] = await resolvePipelines(loaded, catalog);
  return resolved?.components[0]?.config;
}

async function found(config: string, head = "", options: Partial<LoadOptions> = {}) {
  const loaded = await load(`${head}pipelines:\n${pipeline(source(config))}`, options);
  return brief(await checkConfig(loaded, catalog));
}

Deno.test("settings: defaults of the schema < plugins.use < the component's own", async () => {
  const head =
    "plugins: { use: { builtin: { config: { count: 3, rate: 5/s, shape: { size: 1, seed: 2 } } } } }\n";
  assert.deepEqual(await settings("{}"), { count: 10, loop: false });
  assert.deepEqual(await settings("{}", head), {
    count: 3,
    rate: "5/s",
    shape: { size: 1, seed: 2 },
    loop: false,
  });
  assert.deepEqual(await settings("{ count: 4, shape: { seed: 7 } }", head), {
    count: 4,
    rate: "5/s",
    shape: { size: 1, seed: 7 },
    loop: false,
  });
});

Deno.test("settings are checked against the plugin's schema, all faults at their places", async () => {
  assert.deepEqual(
    await found("{ cuont: 1, count: 0, loop: yes, rate: fast, shape: { sise: 1, unit: byte } }"),
    [
      '3:55 Unknown key "cuont" in pipelines.web.sources.in.config',
      "3:72 Cannot use this value for pipelines.web.sources.in.config.count: it must be >= 1",
      "3:81 Expected true or false for pipelines.web.sources.in.config.loop, found text",
      "3:92 Expected a rate such as 100/s, 6000/m or a number per second for pipelines.web.sources.in.config.rate",
      '3:107 Unknown key "sise" in pipelines.web.sources.in.config.shape',
      '3:122 Expected one of "bytes", "words" for pipelines.web.sources.in.config.shape.unit',
    ],
  );
});

Deno.test("an unknown setting comes with a caret and the key that was meant", async () => {
  const loaded = await load(`pipelines:\n${pipeline(source("{ cuont: 1 }"))}`);
  const [diagnostic] = await checkConfig(loaded, catalog);
  assert.equal(
    formatDiagnostic(diagnostic!),
    `busbar.yaml:3:55: error: Unknown key "cuont" in pipelines.web.sources.in.config
    3 |     sources: { in: { use: builtin/generate, config: { cuont: 1 } } }
      |                                                       ^^^^^
  did you mean "count"?`,
  );
});

Deno.test("a missing setting points at config, or at the component without one", async () => {
  const missing = async (config: string) =>
    brief(
      await checkConfig(
        await load(`pipelines:\n${pipeline(`sources: { in: { use: file-tail${config} } }`)}`),
        catalog,
      ),
    );
  assert.deepEqual(await missing(", config: {}"), [
    '3:38 Missing "paths" in pipelines.web.sources.in.config',
  ]);
  assert.deepEqual(await missing(""), ['3:16 Missing "paths" in pipelines.web.sources.in.config']);
});

Deno.test("text that was put in becomes what the schema wants, text of the file does not", async () => {
  assert.deepEqual(
    await settings("{ count: ${N}, loop: ${L}, shape: { size: ${N} } }", "", {
      env: { N: "42", L: "true" },
      sets: ["pipelines.web.sources.in.config.shape.seed=7"],
    }),
    { count: 42, loop: true, shape: { size: 42, seed: 7 } },
  );
  assert.deepEqual(await found("{ count: '42' }"), [
    "3:62 Expected a whole number for pipelines.web.sources.in.config.count, found text",
  ]);
  assert.deepEqual(
    await found("{}", "", { env: { BUSBAR_PIPELINES__WEB__SOURCES__IN__CONFIG__COUNT: "x" } }),
    [
      "BUSBAR_PIPELINES__WEB__SOURCES__IN__CONFIG__COUNT: Expected a whole number for pipelines.web.sources.in.config.count, found text",
    ],
  );
});

Deno.test("a fault in plugins.use.NAME.config is shown there", async () => {
  const head = "plugins: { use: { builtin: { config: { count: many } } } }\n";
  assert.deepEqual(await found("{}", head), [
    "1:47 Expected a whole number for plugins.use.builtin.config.count, found text",
  ]);
});

Deno.test("settings of a plugin go to the components that know them; others are refused", async () => {
  const plugin = {
    name: "multi",
    version: "1.0.0",
    components: ["source", "reaction"].map((kind) => ({
      kind,
      name: kind,
      config_schema: {
        type: "object",
        additionalProperties: false,
        properties: { [`${kind}_only`]: { type: "integer" } },
      },
    })),
  };
  const text =
    `plugins: { use: { multi: { config: { source_only: 1, reaction_only: 2, soruce_only: 3 } } } }
pipelines:
  web:
    sources: { in: { use: multi } }
    reactions: { out: { use: multi, from: in } }
`;
  assert.deepEqual(brief(await checkConfig(await load(text), { plugins: [plugin] })), [
    '1:72 Unknown key "soruce_only" in plugins.use.multi.config',
  ]);
  const good = await load(text.replace(", soruce_only: 3", ""));
  const [web] = await resolvePipelines(good, { plugins: [plugin] });
  assert.deepEqual(web?.components.map(({ config }) => config), [
    { source_only: 1 },
    { reaction_only: 2 },
  ]);
});

Deno.test("a config_schema that is no schema is reported, not thrown", async () => {
  const schemas = [{ type: "nonsense" }, { $async: true }, { $ref: "https://x.test/y" }, {
    $schema: "z",
  }];
  const loaded = await load(`pipelines:\n${pipeline("sources: { in: { use: odd } }")}`);
  for (const config_schema of schemas) {
    const broken: Catalog = {
      plugins: [...catalog.plugins, {
        name: "odd",
        version: "1.0.0",
        components: [{ kind: "source", name: "a", config_schema }],
      }],
    };
    assert.match(
      brief(await checkConfig(loaded, broken))[0]!,
      /^3:27 Cannot check pipelines.web.sources.in: the config_schema of "odd\/a" is not valid: /,
    );
  }
});

Deno.test("a value that fits no branch of a choice is one error", async () => {
  const choice: Catalog = {
    plugins: [...catalog.plugins, {
      name: "odd",
      version: "1.0.0",
      components: [{
        kind: "source",
        name: "a",
        config_schema: {
          properties: {
            x: { oneOf: [{ type: "string" }, { type: "object", required: ["y"] }] },
          },
        },
      }],
    }],
  };
  const loaded = await load(
    `pipelines:\n${pipeline("sources: { in: { use: odd, config: { x: 1 } } }")}`,
  );
  assert.deepEqual(brief(await checkConfig(loaded, choice)), [
    "3:45 Cannot use this value for pipelines.web.sources.in.config.x: it must match exactly one schema in oneOf",
  ]);
});
