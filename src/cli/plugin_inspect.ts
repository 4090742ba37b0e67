import type { BinaryFacts, BinaryFormat } from "../plugin/binary.ts";
import { PluginError, type PluginProblem, problemOf } from "../plugin/errors.ts";
import { type Inspection, inspectPlugin } from "../plugin/inspect.ts";
import { pluginRules } from "../host/plugin_set.ts";
import { ExitCode } from "./exit_codes.ts";
import { paint, printable, printFields, printJson } from "./output.ts";
import { pluginSettings } from "./plugin_settings.ts";
import type { PluginOptions } from "./program.ts";

/** What each format calls the name that others link a library by. */
const LINK_NAMES: Record<BinaryFormat, string> = {
  "ELF": "SONAME",
  "Mach-O": "install name",
  "PE": "DLL name",
};

/** `busbar plugin inspect`: all that a file says, and the verdict; never loads it. */
export async function inspect(file: string, options: PluginOptions): Promise<ExitCode> {
  const rules = await pluginRules(await pluginSettings(options));
  let inspection: Inspection;
  try {
    inspection = await inspectPlugin(file, rules.inspect);
  } catch (error) {
    if (!options.json || !(error instanceof PluginError)) throw error;
    printJson(unreadable(problemOf(error)));
    return ExitCode.FAILURE;
  }
  if (options.json) printJson(inspection);
  else print(inspection);
  return inspection.verdict.ok ? ExitCode.OK : ExitCode.FAILURE;
}

function unreadable({ code, path, message }: PluginProblem) {
  return { path, verdict: { ok: false, problems: [{ code, reason: message }] } };
}

function print(inspection: Inspection): void {
  const { name, path, library, size, digest, manifest, abiHash, binary, runtime } = inspection;
  const { compatibility, verdict, warnings } = inspection;
  printFields([
    ["plugin", `${printable(name)} ${manifest?.version ?? ""}`.trimEnd()],
    ["description", manifest?.description && printable(manifest.description)],
    ["license", manifest?.license && printable(manifest.license)],
    ["path", printable(path)],
    ["library", printable(library)],
    ["size", `${size} bytes`],
    ["SHA-256", digest],
    ["ABI", manifest && `${manifest.abi}, requires minor ${manifest.requires_minor}`],
    ["ABI hash", abiHash ?? "none"],
    ["target", `${manifest?.target ?? "not said"}, file ${fileTarget(binary)}`],
    ["format", binary.format],
    [LINK_NAMES[binary.format], printable(binary.linkName ?? "none")],
    ...requirements(binary),
    ["protections", binary.protections.join(", ") || "none"],
    ["signature", binary.signed === undefined ? undefined : binary.signed ? "present" : "none"],
    ["runtime", runtime ?? "none"],
    ["built by", manifest && printable(builtBy(manifest.build))],
  ]);
  section(
    "Components",
    (manifest?.components ?? []).map(({ kind, name, description = "" }) => {
      return `${kind} ${name}  ${printable(description)}`.trimEnd();
    }),
  );
  section(
    "Exported symbols",
    binary.exported.map(({ kind, name }) => `${kind} ${printable(name)}`),
  );
  section("Needed libraries", neededLibraries(inspection));
  section(
    "Compatibility",
    compatibility.map(({ field, plugin, host, ok }) =>
      `${ok ? "same" : "DIFFERS"}  ${field}: plugin ${shown(plugin)}, host ${shown(host)}`
    ),
  );
  section("Warnings", warnings.map(printable));
  section("Problems", verdict.problems.map(({ code, reason }) => `${code}: ${printable(reason)}`));
  console.log(`\nVerdict: ${verdict.ok ? paint("accepted", "green") : paint("refused", "red")}`);
}

/** The file's own target, and what else is in a fat file. */
function fileTarget({ target, slices }: BinaryFacts): string {
  return slices.length === 0 ? target : `${target} (of a fat file for ${slices.join(", ")})`;
}

/** What the system must offer, as far as the format says. */
function requirements({ format, requiredGlibc, minimumSystem }: BinaryFacts): [string, string][] {
  if (format !== "ELF") {
    return [["system", minimumSystem === undefined ? "not said" : `${minimumSystem} or newer`]];
  }
  return [["glibc", requiredGlibc === undefined ? "none" : `${requiredGlibc} or newer`]];
}

function builtBy(build: NonNullable<Inspection["manifest"]>["build"]): string {
  const flags = build.build_flags.length > 0 ? `, ${build.build_flags.join(" ")}` : "";
  return `${build.toolchain_version}, ${build.language}, ${build.build_profile}${flags}`;
}

/** Those that it names itself, then those that these need. */
function neededLibraries({ binary, libraries: { found, missing } }: Inspection): string[] {
  const lines = [
    ...found.map(({ name, path }) => `${name} => ${path}`),
    ...missing.map(({ name, neededBy, reason }) =>
      `${name} => MISSING, needed by ${neededBy}: ${reason}`
    ),
  ];
  const told = new Set([...found, ...missing].map(({ name }) => name));
  const others = binary.needed.filter((name) => !told.has(name));
  const where = binary.format === "ELF" ? "in the process already" : "not looked for";
  return [...lines, ...others.map((name) => `${name} => ${where}`)].map(printable);
}

function section(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  console.log(`\n${title}`);
  for (const line of lines) console.log(`  ${line}`);
}

function shown(value: string | undefined): string {
  return value === undefined ? "none" : printable(value);
}
