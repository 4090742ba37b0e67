/** What the entries of manifest.ts are made of. */

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

export const SIZE = { type: ["string", "integer"], format: "busbar-size", minimum: 0 };
export const DURATION = { type: "string", format: "busbar-duration" };

/** A config_schema that knows only these settings. */
export function settings(
  properties: Record<string, Record<string, unknown>>,
  rules: Record<string, unknown> = {},
): Record<string, unknown> {
  return { $schema: DIALECT, type: "object", additionalProperties: false, properties, ...rules };
}
