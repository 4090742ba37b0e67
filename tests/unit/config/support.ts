import type { Catalog } from "../../../src/config/catalog.ts";
import { ConfigError, type Diagnostic } from "../../../src/config/diagnostic.ts";
import { loadConfig, type LoadedConfig, type LoadOptions } from "../../../src/config/load.ts";

/** Loads a text as `busbar.yaml` with nothing in the environment. */
export function load(text: string, options: Partial<LoadOptions> = {}): Promise<LoadedConfig> {
  return loadConfig({ path: "busbar.yaml", text, env: {}, ...options });
}

/** What is wrong with a text; empty if nothing is. */
export async function faults(
  text: string,
  options: Partial<LoadOptions> = {},
): Promise<readonly Diagnostic[]> {
  try {
    await load(text, options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.diagnostics;
    throw error;
  }
}

/** `line:column message` of each diagnostic, or `file: message` where there is no line. */
export function brief(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map(({ file, line, column, message }) =>
    line === undefined ? `${file}: ${message}` : `${line}:${column} ${message}`
  );
}

/** A pipeline with what is given in place of the parts that it needs. */
export function pipeline(extra = "", id = "web"): string {
  return [
    `  ${id}:`,
    ...extra.split("\n").filter((line) => line !== "").map((line) => `    ${line}`),
    ...(extra.includes("sources:") ? [] : [`    sources: { in: { use: builtin/generate } }`]),
    ...(extra.includes("reactions:")
      ? []
      : [`    reactions: { out: { use: builtin/discard, from: in } }`]),
    "",
  ].join("\n");
}

export const catalog: Catalog = {
  plugins: [
    {
      name: "builtin",
      version: "0.1.0",
      components: [
        {
          kind: "source",
          name: "generate",
          replayable: true,
          partitioned: true,
          config_schema: {
            type: "object",
            additionalProperties: false,
            properties: {
              rate: { type: ["number", "string"], format: "busbar-rate" },
              count: { type: "integer", minimum: 1, default: 10 },
              loop: { type: "boolean", default: false },
              shape: {
                type: "object",
                additionalProperties: false,
                properties: {
                  size: { type: "integer" },
                  seed: { type: "integer" },
                  unit: { enum: ["bytes", "words"] },
                },
              },
            },
          },
        },
        { kind: "reaction", name: "discard" },
        { kind: "reaction", name: "stdout" },
      ],
    },
    {
      name: "file-tail",
      version: "1.0.0",
      components: [{
        kind: "source",
        name: "tail",
        blocking: true,
        config_schema: {
          type: "object",
          additionalProperties: false,
          required: ["paths"],
          properties: {
            paths: { type: "array", items: { type: "string" }, minItems: 1 },
            token: { type: "string", writeOnly: true },
          },
        },
      }],
    },
    {
      name: "access-log",
      version: "1.2.0",
      components: [{ kind: "processor", name: "parse" }],
    },
    {
      name: "router",
      version: "1.0.0",
      components: [{ kind: "processor", name: "split", outputs: ["good", "errors"] }],
    },
    {
      name: "go-one",
      version: "1.0.0",
      runtime: "go",
      components: [{ kind: "processor", name: "map" }],
    },
    {
      name: "go-two",
      version: "1.0.0",
      runtime: "go",
      components: [{ kind: "processor", name: "map" }],
    },
  ],
};
