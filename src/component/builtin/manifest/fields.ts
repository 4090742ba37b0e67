/** What the descriptions of built-in components have in common. */
import type { ManifestComponent } from "../../../plugin/manifest.ts";
import type { Wanted } from "../../../expression/results.ts";

export { settings } from "./settings.ts";

/** A component's entry in the manifest. */
export type Entry = ManifestComponent;

type Schema = Record<string, unknown>;

/** A setting that is an expression in CEL, compiled when the configuration is read. */
export function cel(wanted: Wanted, description: string): Schema {
  return { description, type: "string", format: "busbar-cel", "x-cel-type": wanted };
}

/** What becomes of an event that an expression fails on. */
export const ON_ERROR: Schema = {
  description: "What becomes of an event that an expression fails on: it is given to on_failure, " +
    "passed on as marked, or dropped",
  enum: ["dead_letter", "mark", "drop"],
  default: "dead_letter",
};

/** Names of members with dots between them; a name has none of . [ ] " in it. */
export const PATH = '^[^.\\[\\]"]+(\\.[^.\\[\\]"]+)*$';
