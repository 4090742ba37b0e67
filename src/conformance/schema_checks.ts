import { validatorOf } from "../config/component_schema.ts";
import { COMPONENT_KINDS } from "../plugin/manifest.ts";
import { makeConfigs } from "./configs.ts";
import {
  failed,
  type Finding,
  none,
  notApplicable,
  PASSED,
  type StaticCheck,
  type Subject,
} from "./file_checks.ts";
import { isObject, type Json } from "./value_for_schema.ts";

/** Checks of one component's config_schema, in the order in which they are reported. */
export const SCHEMA_CHECKS: readonly StaticCheck[] = [
  {
    name: "schema",
    proves:
      "The component has a config_schema, and it is a valid JSON Schema of the 2020-12 draft for an object.",
    severity: "error",
    kinds: COMPONENT_KINDS,
    run: async ({ component }) => {
      const schema = component?.config_schema;
      if (schema === undefined) {
        return failed(
          'The manifest has no "config_schema" for it, so a host cannot check settings',
        );
      }
      const fault = await compileFault(schema);
      if (fault) return failed(`config_schema is not valid: ${fault}`);
      const draft = schema.$schema;
      if (draft !== undefined && !/\/draft\/2020-12\/schema#?$/.test(String(draft))) {
        return failed(`"$schema" is "${draft}"; hosts read the 2020-12 draft`);
      }
      const takesObjects = schema.type === undefined || [schema.type].flat().includes("object");
      return takesObjects ? PASSED : failed('"type" is not "object", and settings are an object');
    },
  },
  {
    name: "schema-closed",
    proves:
      "A misspelt setting is refused: no object of the config_schema takes names that it does not list.",
    severity: "error",
    kinds: COMPONENT_KINDS,
    run: (subject) =>
      withSchema(subject, (schema) =>
        none(
          subschemas(schema).filter(({ schema, part }) => isOpen(schema, part)).map(({ path }) =>
            `"${path}" takes names that it does not list; add "additionalProperties": false`
          ),
        )),
  },
  {
    name: "schema-words",
    proves: "Every setting has a description, which is what users of the plugin see of it.",
    severity: "warning",
    kinds: COMPONENT_KINDS,
    run: (subject) =>
      withSchema(subject, (schema) =>
        none(
          subschemas(schema).flatMap(({ schema: { properties }, path }) =>
            Object.entries(isObject(properties) ? properties : {})
              .filter(([, property]) => !isDescribed(property, schema))
              .map(([name]) => `"${path}/properties/${name}" has no description`)
          ),
        )),
  },
  {
    name: "schema-defaults",
    proves: "Every default in the config_schema is a value that the same schema accepts.",
    severity: "error",
    kinds: COMPONENT_KINDS,
    run: (subject) =>
      withSchema(subject, async (root) => {
        const faults: string[] = [];
        for (const { schema, path } of subschemas(root)) {
          if (schema.default === undefined) continue;
          const reason = await refusal(root, schema, schema.default);
          if (reason) faults.push(`The default of "${path}" ${reason}`);
        }
        return none(faults);
      }),
  },
  {
    name: "schema-examples",
    proves: "Every example in the config_schema is a value that the same schema accepts.",
    severity: "error",
    kinds: COMPONENT_KINDS,
    run: (subject) =>
      withSchema(subject, async (root) => {
        const faults: string[] = [];
        let count = 0;
        for (const { schema, path } of subschemas(root)) {
          for (const [index, example] of [schema.examples ?? []].flat().entries()) {
            count++;
            const reason = await refusal(root, schema, example);
            if (reason) faults.push(`Example ${index} of "${path}" ${reason}`);
          }
        }
        return count === 0 ? notApplicable("The config_schema has no examples") : none(faults);
      }),
  },
  {
    name: "settings",
    proves:
      "There are settings to try the component with: of conformance.json, of an example, or made from the config_schema.",
    severity: "error",
    kinds: COMPONENT_KINDS,
    run: ({ component, fixture }) =>
      withSchema({ component }, async (schema) => {
        const given = [...(fixture.config ? [fixture.config] : []), ...fixture.configs];
        const { working, origin, faults } = await makeConfigs({ schema, given }, 1);
        return working === undefined ? failed(`There are ${origin}`) : none(faults);
      }),
  },
];

async function withSchema(
  { component }: Pick<Subject, "component">,
  judge: (schema: Json) => Finding | Promise<Finding>,
): Promise<Finding> {
  const schema = component?.config_schema;
  if (schema === undefined) return notApplicable("It has no config_schema");
  if (await compileFault(schema)) return notApplicable("Its config_schema is not valid");
  return await judge(schema);
}

async function compileFault(schema: Json): Promise<string | undefined> {
  try {
    await validatorOf(schema);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Why the part `schema` of `root` refuses `value`; undefined when it accepts it. */
async function refusal(root: Json, schema: Json, value: unknown): Promise<string | undefined> {
  // Checked as the one setting of an object, so that validators fill in no defaults on the way there.
  const { default: _default, examples: _examples, ...own } = schema;
  const definitions = Object.fromEntries(
    ["$defs", "definitions"].filter((key) => root[key] !== undefined).map((
      key,
    ) => [key, root[key]]),
  );
  const wrapped = { ...definitions, type: "object", properties: { value: own } };
  const validate = await validatorOf(wrapped);
  const [error] = validate({ value: structuredClone(value) });
  if (error === undefined) return undefined;
  const place = error.instancePath.replace(/^\/value/, "");
  return `is refused${place && ` at "${place}"`}: it ${error.message}`;
}

interface Subschema {
  schema: Json;
  /** JSON pointer, "" for the root. */
  path: string;
  /** Whether it only adds to another schema. */
  part: boolean;
}

const MAX_DEPTH = 64;
const MAPS = ["properties", "patternProperties", "$defs", "dependentSchemas"];
const LISTS = ["prefixItems", "anyOf", "oneOf", "allOf"];
const SINGLE = ["items", "additionalProperties", "contains", "if", "then", "else", "not"];
const PARTS = new Set(["anyOf", "oneOf", "allOf", "if", "then", "else", "not", "dependentSchemas"]);

/** The schema and all in it. */
function subschemas(root: Json): Subschema[] {
  const found: Subschema[] = [];
  const visit = (value: unknown, { path, part }: { path: string; part: boolean }) => {
    if (!isObject(value) || path.split("/").length > MAX_DEPTH) return;
    found.push({ schema: value, path, part });
    const inside = (key: string) => ({
      path: `${path}/${key}`,
      part: PARTS.has(key.split("/")[0]!),
    });
    for (const key of MAPS) {
      for (const [name, child] of Object.entries(isObject(value[key]) ? value[key] : {})) {
        visit(child, inside(`${key}/${name}`));
      }
    }
    for (const key of LISTS) {
      const children = Array.isArray(value[key]) ? value[key] : [];
      children.forEach((child, index) => visit(child, inside(`${key}/${index}`)));
    }
    for (const key of SINGLE) visit(value[key], inside(key));
  };
  visit(root, { path: "", part: false });
  return found;
}

function isOpen(schema: Json, part: boolean): boolean {
  const isRoot = schema.properties !== undefined || [schema.type].flat().includes("object");
  const says = schema.additionalProperties !== undefined ||
    schema.unevaluatedProperties !== undefined;
  const open = schema.additionalProperties === true || schema.unevaluatedProperties === true;
  return isRoot && (says ? open : !part);
}

function isDescribed(property: unknown, root: Json): boolean {
  if (!isObject(property)) return false;
  if (typeof property.description === "string" && property.description.trim() !== "") return true;
  const name = /^#\/\$defs\/([^/]+)$/.exec(String(property.$ref))?.[1];
  const definitions = isObject(root.$defs) ? root.$defs : {};
  const referred = name === undefined ? undefined : definitions[name];
  return isObject(referred) && typeof referred.description === "string";
}
