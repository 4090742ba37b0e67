import assert from "node:assert/strict";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { parse } from "yaml";
import project from "../../deno.json" with { type: "json" };
import { LAYOUTS } from "../../ffi/layout.ts";
import { compilerOf } from "../../src/project/toolchain.ts";
import { listFiles, PROJECT, run, statOrNothing } from "../../scripts/lib/files.ts";
import { createProgram } from "../../src/cli/program.ts";
import { BUILTIN_MANIFEST } from "../../src/component/builtin/manifest.ts";
import type { PluginDescription } from "../../src/config/catalog.ts";
import { checkConfig } from "../../src/config/graph_check.ts";
import { loadConfig } from "../../src/config/load.ts";
import { configJsonSchema } from "../../src/config/schema.ts";
import { validatePlugin } from "../../src/host/validate.ts";
import { stepsOf } from "../support/tutorial.ts";
import { type GoodInspection, inspectPlugin, requireGood } from "../../src/plugin/inspect.ts";

interface Page {
  /** From the project's folder. */
  path: string;
  text: string;
  /** Without its code blocks. */
  prose: string;
  blocks: { language: string; code: string }[];
  /** Code within the prose. */
  spans: string[];
}

async function readPage(file: string): Promise<Page> {
  const text = await Deno.readTextFile(file);
  const blocks: Page["blocks"] = [];
  const prose = text.replace(/^```(\w*)\n(.*?)^```$/gms, (_, language, code) => {
    blocks.push({ language, code });
    return "";
  });
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return { path: relative(PROJECT, file), text, prose, blocks, spans };
}

const files = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map((name) => join(PROJECT, name)),
  ...(await Promise.all(
    ["docs", "plugins", "ffi/examples"].map((name) => listFiles(join(PROJECT, name))),
  )).flat(),
].filter((file) => file.endsWith(".md"));
const pages = await Promise.all(files.map(readPage));

/** Fails with all findings at once. */
function none(findings: string[]): void {
  assert.deepEqual(findings, []);
}

/** A heading's anchor, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(" ", "-");
}

Deno.test("docs: every relative link leads to a file, and to a heading where it names one", async () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const [, target = ""] of page.prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === ""
        ? page.path
        : relative(PROJECT, resolve(PROJECT, dirname(page.path), path));
      const found = await statOrNothing(join(PROJECT, file)) !== undefined;
      const headings = pages.find((other) => other.path === file)?.prose.matchAll(/^#+ (.*)$/gm) ??
        [];
      const leads = anchor === undefined ||
        [...headings].some(([, text]) => anchorOf(text!) === anchor);
      if (!found || !leads) broken.push(`${page.path}: ${target}`);
    }
  }
  none(broken);
});

Deno.test("docs: every file of the project that is named exists", async () => {
  const missing: string[] = [];
  for (const { path, spans } of pages) {
    for (const span of spans) {
      const file = /^(?:src|ffi|tests|scripts|docs|plugins)\/[a-z0-9_./-]*(?=$| )/.exec(span)?.[0];
      // A project in Rust has a src/ of its own.
      if (file === undefined || /^src\/.*\.rs$/.test(file)) continue;
      if (await statOrNothing(join(PROJECT, file)) === undefined) {
        missing.push(`${path}: ${span}`);
      }
    }
  }
  none(missing);
});

/** All command lines of busbar in a page, from the command's name on. */
function commandLines({ spans, blocks }: Page): string[] {
  const shell = blocks.filter(({ language }) => language === "sh" || language === "")
    .flatMap(({ code }) => code.split("\n"));
  return [...spans, ...shell].flatMap((line) => {
    // Those two are lines that it prints.
    const match = /^(?:source <\()?(?:\.\/)?busbar (?!ready|listening)([a-z].*)/.exec(line);
    return match === null ? [] : [match[1]!.replace(/\s[#|>;].*/, "")];
  });
}

/** What is wrong with a command line, or "". */
function commandFault(line: string, program: Command): string {
  let command = program;
  const known = new Set<string>();
  for (const word of line.split(/[\s()]+/)) {
    if (command.commands.length === 0 || !/^[a-z-]+$/.test(word) || word.startsWith("-")) break;
    const next = command.commands.find((one) =>
      one.name() === word || one.aliases().includes(word)
    );
    if (next === undefined) return `no command "${word}"`;
    command = next;
  }
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const { long } of at.options) known.add(long!);
  }
  const unknown = line.match(/--[a-z-]+/g)?.find((option) =>
    option !== "--help" && !known.has(option)
  );
  return unknown === undefined ? "" : `no option "${unknown}"`;
}

Deno.test("docs: every busbar command and option that is named exists", () => {
  const program = createProgram(() => {});
  none(pages.flatMap((page) =>
    commandLines(page).flatMap((line) => {
      const fault = commandFault(line, program);
      return fault === "" ? [] : [`${page.path}: busbar ${line}: ${fault}`];
    })
  ));
  assert.notEqual(commandFault("plugin inspekt x", program), "");
  assert.notEqual(commandFault("run --sett a=b", program), "");
});

Deno.test("docs: every script and task that is named exists and can be run", async () => {
  const missing: string[] = [];
  for (const { path, text } of pages) {
    for (const [line, script] of text.matchAll(/(?<![\w/.])(scripts\/[a-z]+)(?![\w/])/g)) {
      const { mode } = await statOrNothing(join(PROJECT, script!)) ?? {};
      if (((mode ?? 0) & 0o111) === 0) missing.push(`${path}: ${line}`);
    }
    for (const [line, task] of text.matchAll(/deno task ([a-z]+)/g)) {
      if (!Object.hasOwn(project.tasks, task!)) missing.push(`${path}: ${line}`);
    }
  }
  none(missing);
});

/** All paths of settings, dotted; "*" for a name that the user chooses. */
function settingPaths(schema: Record<string, unknown>, path: string[] = []): string[] {
  const parts = [schema, ...[schema.anyOf, schema.allOf].flat()] as typeof schema[];
  return parts.filter((part) => typeof part === "object").flatMap((part) => [
    ...Object.entries(part.properties ?? {}).map(([key, value]) => ({ key, value })),
    ...(typeof part.additionalProperties === "object"
      ? [{ key: "*", value: part.additionalProperties }]
      : []),
  ]).flatMap(({ key, value }) => {
    const inner = [...path, key];
    return [inner.join("."), ...settingPaths(value as typeof schema, inner)];
  });
}

const settings = settingPaths(configJsonSchema());

/** Whether a dotted path is a setting, or the end or middle of one's path. A name may stand for any name. */
function isSetting(path: string): boolean {
  const keys = path.split(".");
  return settings.some((setting) => {
    const parts = setting.split(".");
    return parts.some((_, from) =>
      parts.length - from >= keys.length &&
      keys.every((key, i) => parts[from + i] === "*" || parts[from + i] === key)
    );
  });
}

Deno.test("docs: every setting that is named exists", () => {
  const groups = new Set(settings.flatMap((path) => path.split(".")));
  const unknown: string[] = [];
  for (const { path, spans } of pages) {
    for (const span of spans) {
      const key = /^([a-z_]+(?:\.[A-Za-z_]+)+)(?::|=|$)/.exec(span)?.[1];
      if (key === undefined || !groups.has(key.split(".")[0]!)) continue;
      if (!/\.(md|yaml|json|lock)$/.test(key) && !isSetting(key)) unknown.push(`${path}: ${span}`);
    }
  }
  none(unknown);
  assert.equal(isSetting("batch.max_event"), false);
});

Deno.test("docs: every setting there is has its place on the pages of settings", () => {
  const told = ["configuration", "services", "http", "testing"]
    .map((name) => pages.find(({ path }) => path === `docs/${name}.md`)!);
  const words = new Set(told.flatMap(({ spans }) => spans.flatMap((span) => span.split(/[^\w]+/))));
  const keys = new Set(settings.map((path) => path.split(".").at(-1)!));
  none([...keys].filter((key) => key !== "*" && !words.has(key)));
});

async function withHello(action: (hello: GoodInspection) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const [block, ...others] = pages.find(({ path }) => path === "docs/plugins.md")!.blocks
      .filter(({ language }) => language === "c");
    assert.equal(others.length, 0);
    const library = join(folder, "libbusbar_source_hello.so");
    await Deno.writeTextFile(join(folder, "hello.c"), block!.code);
    await run([
      ...[
        compilerOf("c"),
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O2",
        "-fPIC",
        "-fvisibility=hidden",
      ],
      ...["-shared", "-I", join(PROJECT, "ffi/include"), join(folder, "hello.c"), "-o", library],
    ]);
    await action(requireGood(await inspectPlugin(library)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("docs: the plugin of docs/plugins.md compiles without a warning, is accepted, and loads", () =>
  withHello(async (hello) => {
    assert.deepEqual(hello.warnings, []);
    const { ok, problem, components } = await validatePlugin(hello, {
      preload: [],
      timeoutMs: 60_000,
    });
    assert.ok(ok, problem?.message);
    assert.deepEqual(components, [{ kind: "source", name: "greet" }]);
  }));

Deno.test("docs: every block of C and C++ compiles", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const { text, blocks } of pages) {
      // What is written to a file is compiled where the page is followed.
      const files = new Set(stepsOf(text).map((step) => step.kind === "file" ? step.text : ""));
      for (const { language, code } of blocks) {
        if ((language !== "c" && language !== "cpp") || files.has(code)) continue;
        const file = join(folder, `block.${language}`);
        await Deno.writeTextFile(file, code);
        await run([
          compilerOf(language),
          ...[language === "c" ? "-std=c11" : "-std=c++17", "-fsyntax-only"],
          ...["-I", join(PROJECT, "ffi/include"), "-include", "busbar.h", file],
        ]);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A block with one of these keys is a whole configuration. */
const WHOLE = ["pipelines", "services", "http"];

/** The plugin that pages name where any would do. */
const TEXT_TOOLS: PluginDescription = {
  name: "text-tools",
  version: "1.0.0",
  components: [{ kind: "service", name: "words" }],
};

Deno.test("docs: every block of YAML that is a whole configuration passes the check", () =>
  withHello(async ({ manifest }) => {
    const own = (await listFiles(join(PROJECT, "plugins"))).filter((file) =>
      basename(file) === "plugin.json"
    );
    const plugins: PluginDescription[] = [
      BUILTIN_MANIFEST,
      TEXT_TOOLS,
      manifest,
      ...await Promise.all(own.map(async (file) => JSON.parse(await Deno.readTextFile(file)))),
    ];
    let checked = 0;
    const faults: string[] = [];
    for (const { path, text, blocks } of pages) {
      // What is written to a file may use the plugin that the page makes, and runs where it is followed.
      const files = new Set(
        text.includes("busbar plugin new")
          ? stepsOf(text).map((step) => step.kind === "file" ? step.text : "")
          : [],
      );
      for (const { code } of blocks.filter(({ language }) => language === "yaml")) {
        if (files.has(code) || !WHOLE.some((key) => Object.hasOwn(parse(code), key))) continue;
        const env = { HOME: "/root", ANN_PASSWORD: "secret" };
        const text = code.replace(/\$\{file:.*?\}/g, "what a file says");
        const loaded = await loadConfig({ path, text, env });
        const found = await checkConfig(loaded, { plugins });
        faults.push(
          ...found.map(({ line, message }) => `${path}: line ${line} of the block: ${message}`),
        );
        checked++;
      }
    }
    none(faults);
    assert.ok(checked >= 4, `${checked} blocks were checked`);
  }));

Deno.test("docs/abi.md: sizes and offsets are those of the layouts", () => {
  const { text } = pages.find(({ path }) => path === "docs/abi.md")!;
  const sizes = [...text.matchAll(/^\| `(busbar_\w+_t)` \| (\d+) \|/gm)];
  assert.ok(sizes.length >= 10);
  for (const [, name, size] of sizes) assert.equal(LAYOUTS[name!]?.size, Number(size), name);
  for (const name of ["busbar_record_t", "busbar_batch_t"]) {
    const table = text.split(`\n\`${name}\`\n`)[1]!.split(/\n\n(?!\|)/)[0]!;
    const rows = [...table.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map((
      [, at, member],
    ) => [member, Number(at)]);
    assert.deepEqual(Object.fromEntries(rows), LAYOUTS[name]!.offset);
  }
});

Deno.test("README names every dependency", () => {
  const { spans } = pages.find(({ path }) => path === "README.md")!;
  none(Object.keys(project.imports).filter((name) => !spans.includes(name)));
});

Deno.test("docs: nothing is left to be written", () => {
  none(pages.filter(({ text }) => /\b(TO[D]O|FIX[M]E|T[B]D)\b/.test(text)).map(({ path }) => path));
});
