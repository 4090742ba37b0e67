/**
 * Writes docs/busbar.schema.json from the schema that the program checks with.
 *
 *     deno run -A scripts/lib/config_schema.ts
 */
import { configJsonSchema } from "../../src/config/schema.ts";

export const SCHEMA_FILE = new URL("../../docs/busbar.schema.json", import.meta.url);

/** The text of docs/busbar.schema.json. */
export function configSchemaText(): string {
  return JSON.stringify(configJsonSchema(), null, 2) + "\n";
}

if (import.meta.main) await Deno.writeTextFile(SCHEMA_FILE, configSchemaText());
