/** docs/components/ against the manifest, the schemas and the code of the built-in components. */
import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { parse } from "yaml";
import { listFiles, PROJECT } from "../../../scripts/lib/files.ts";
import { BUILTIN_MANIFEST } from "../../../src/component/builtin/manifest.ts";
import type { ManifestComponent } from "../../../src/plugin/manifest.ts";
import { withBuiltin } from "../component/support.ts";

type Schema = Record<string, unknown>;

const FOLDER = join(PROJECT, "docs/components");

/** The sections that a page has, in this order; others may stand between them. */
const SECTIONS: Partial<Record<ManifestComponent["kind"], string[]>> = {
  source: ["Settings", "Events", "Position and acknowledgement", "Errors", "Metrics", "Example"],
  processor: ["Settings", "State and acknowledgement", "Errors", "Metrics", "Example"],
  reaction: ["Settings", "Acknowledgement", "Errors", "Metrics", "Example"],
  hook: ["Settings", "State", "Errors", "Metrics", "Example"],
};

interface Page {
  component: ManifestComponent;
  /** As configurations write it. */
  name: string;
  file: string;
  text: string;
}

const { components } = BUILTIN_MANIFEST;
const pages = await Promise.all(components.map(async (component): Promise<Page> => {
  const name = component.name.replaceAll("-", "_");
  const alone = components.filter((other) => other.name === component.name).length === 1;
  const file = alone ? `${name}.md` : `${name}_${component.kind}.md`;
  return { component, name, file, text: await Deno.readTextFile(join(FOLDER, file)) };
}));

/** Fails with all findings at once. */
function none(findings: string[]): void {
  assert.deepEqual(findings, []);
}

/** Code blocks are left out: what looks like a heading or a row there is none. */
function sectionsOf(text: string): Map<string, string> {
  const prose = text.replace(/^```.*?^```$/gms, "");
  const [, ...parts] = prose.split(/^## /m);
  return new Map(parts.map((part) => {
    const end = part.indexOf("\n");
    return [part.slice(0, end), part.slice(end)];
  }));
}

/** The cells of the rows of the first table. */
function rowsOf(section: string): string[][] {
  const [table = ""] = /^\|.*(?:\n\|.*)*/m.exec(section) ?? [];
  const rows = table.split("\n").map((row) =>
    row.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  return rows.slice(2);
}

function spansOf(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, span]) => span!);
}

interface Setting {
  schema: Schema;
  isRequired: boolean;
}

/** Settings by name, those of a group as `group.name`. */
function settingsOf(schema: Schema, prefix = ""): [string, Setting][] {
  const required = (schema["required"] ?? []) as string[];
  return Object.entries((schema["properties"] ?? {}) as Record<string, Schema>).flatMap((
    [name, setting],
  ): [string, Setting][] =>
    setting["properties"] === undefined
      ? [[prefix + name, { schema: setting, isRequired: required.includes(name) }]]
      : settingsOf(setting, `${prefix}${name}.`)
  );
}

/** Whether a cell of the column of defaults says what the schema does; `index` is the setting's within its row. */
function tellsDefault(cell: string, index: number, { schema, isRequired }: Setting): boolean {
  if (isRequired) return cell === "required";
  const { default: value } = schema;
  const isEmpty = value === "" || JSON.stringify(value) === "[]" || JSON.stringify(value) === "{}";
  if (isEmpty) return cell === "none";
  const span = spansOf(cell)[index];
  if (value === undefined) return cell !== "" && cell !== "required" && cell !== `\`${span}\``;
  return span !== undefined && (span === value || sameYaml(span, value));
}

function sameYaml(text: string, value: unknown): boolean {
  try {
    assert.deepEqual(parse(text), value);
    return true;
  } catch {
    return false;
  }
}

Deno.test("docs/components has a page for each built-in component, with its sections in one order", async () => {
  const files = (await listFiles(FOLDER)).map((file) => basename(file));
  assert.deepEqual(files.toSorted(), ["README.md", ...pages.map(({ file }) => file)].toSorted());
  none(pages.flatMap(({ component: { kind }, name, file, text }) => {
    const wanted = SECTIONS[kind]!;
    const found = [...sectionsOf(text).keys()].filter((heading) => wanted.includes(heading));
    return [
      ...(text.startsWith(`# \`builtin/${name}\``) ? [] : [`${file}: its title names another`]),
      ...(found.join() === wanted.join() ? [] : [`${file}: has ${found.join(", ")}`]),
    ];
  }));
});

Deno.test("docs/components/README.md and README.md lead to each page", async () => {
  const index = await Deno.readTextFile(join(FOLDER, "README.md"));
  const readme = await Deno.readTextFile(join(PROJECT, "README.md"));
  none(pages.flatMap(({ file, name }) => [
    ...(index.includes(`[\`${name}\`](${file})`) ? [] : [`docs/components/README.md: ${file}`]),
    ...(readme.includes(`[\`${name}\`](docs/components/${file})`) ? [] : [`README.md: ${file}`]),
  ]));
});

Deno.test("docs/components: tables of settings name those of the schema, with their defaults and choices", () => {
  none(pages.flatMap(({ component, file, text }) => {
    const settings = new Map(settingsOf(component.config_schema ?? {}));
    const rows = rowsOf(sectionsOf(text).get("Settings")!);
    const named = rows.flatMap(([names = ""]) => spansOf(names));
    const faults = [
      ...named.filter((name, i) => !settings.has(name) || named.indexOf(name) < i),
      ...[...settings.keys()].filter((name) => !named.includes(name)),
    ];
    for (const [names = "", meaning = "", fallback = ""] of rows) {
      for (const [index, name] of spansOf(names).entries()) {
        const setting = settings.get(name);
        if (setting === undefined) continue;
        if (!tellsDefault(fallback, index, setting)) faults.push(`${name}: default ${fallback}`);
        const { enum: own, items } = setting.schema as { enum?: unknown[]; items?: Schema };
        const choices = own ?? (items?.["enum"] as unknown[] | undefined) ?? [];
        const told = spansOf(meaning);
        faults.push(
          ...choices.filter((one) => !told.includes(`${one}`)).map((one) => `${name}: no ${one}`),
        );
      }
    }
    return faults.map((fault) => `${file}: ${fault}`);
  }));
});

/** The settings of the component in the page's first configuration. */
function exampleOf({ component: { kind }, name, text, file }: Page): Record<string, unknown> {
  const [, block = ""] = /^```yaml\n(.*?)^```$/ms.exec(text) ?? [];
  const { pipelines } = parse(block) as { pipelines: Record<string, Record<string, Schema>> };
  const group = { source: "sources", processor: "processors", reaction: "reactions" }[
    kind as "source" | "processor" | "reaction"
  ];
  const found = Object.values(pipelines).flatMap((pipeline) => Object.values(pipeline[group] ?? {}))
    .find((one) => (one as Schema)["use"] === `builtin/${name}`) as Schema | undefined;
  assert.ok(found, `${file} does not begin with a configuration that uses it`);
  return (found["config"] ?? {}) as Record<string, unknown>;
}

Deno.test("docs/components: tables of metrics name those that a component has", async () => {
  const faults: string[] = [];
  for (const page of pages) {
    const { component: { kind, name }, file, text } = page;
    const section = sectionsOf(text).get("Metrics")!;
    const told = rowsOf(section).flatMap(([names = "", type]) =>
      spansOf(names).map((metric) => `${type} ${metric}`)
    );
    if ((told.length === 0) !== section.includes("None of its own")) {
      faults.push(`${file}: says neither which there are nor that there are none`);
    }
    // Hooks run in the host, which has no recorder for them.
    if (kind === "hook") continue;
    await withBuiltin(`${kind}/${name}`, { config: exampleOf(page) }, (host) => {
      const made = host.metrics().map((metric) => `${metric.kind} ${metric.name}`);
      if (told.toSorted().join() !== made.toSorted().join()) {
        faults.push(`${file}: has ${made.join(", ")}`);
      }
    });
  }
  none(faults);
});
