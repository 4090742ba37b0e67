import { basename } from "node:path";
import { findPlugins, type PluginSet } from "../host/plugin_set.ts";
import { validatePlugin } from "../host/validate.ts";
import { ExitCode } from "./exit_codes.ts";
import { paint, printable, printJson, printTable } from "./output.ts";
import { pluginSettings } from "./plugin_settings.ts";
import type { LoadOptions } from "./program.ts";

/** How one plugin fared. */
interface Row {
  name: string;
  version: string | null;
  path: string;
  inspection: "ok" | "refused";
  /** Null where the inspection refused it, so that it was not loaded. */
  loading: "ok" | "refused" | null;
  problems: { code: string; message: string }[];
}

/** `busbar plugin check`: inspects all plugins and loads those that may be, each in a process of its own. */
export async function checkPlugins(folders: string[], options: LoadOptions): Promise<ExitCode> {
  const settings = await pluginSettings(options);
  const given = [...folders, ...options.pluginDir];
  // Folders that are named are all that is meant.
  const only = given.length > 0 ? { ...settings, directories: [], use: {} } : settings;
  const set = await findPlugins(only, given);
  const rows = [...await loadAll(set, options.timeout), ...refusedRows(set)];
  const bad = rows.filter(({ problems }) => problems.length > 0);
  if (options.json) printJson({ ok: bad.length === 0, plugins: rows });
  else await print(rows);
  return bad.length === 0 ? ExitCode.OK : ExitCode.FAILURE;
}

async function loadAll({ plugins, rules }: PluginSet, timeout: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const plugin of plugins) {
    const { name, path, manifest } = plugin;
    const options = { preload: rules.preload, timeoutMs: timeout * 1000 };
    const { ok, problem } = await validatePlugin(plugin, options);
    rows.push({
      name,
      version: manifest.version,
      path,
      inspection: "ok",
      loading: ok ? "ok" : "refused",
      problems: problem ? [problem] : [],
    });
  }
  return rows;
}

function refusedRows({ problems, refused }: PluginSet): Row[] {
  return problems.map(({ code, path, message }) => {
    const inspected = refused.find((plugin) => plugin.path === path);
    return {
      name: inspected?.name ?? basename(path),
      version: inspected?.manifest?.version ?? null,
      path,
      inspection: "refused",
      loading: null,
      problems: [{ code, message }],
    };
  });
}

async function print(rows: Row[]): Promise<void> {
  if (rows.length === 0) return console.log("No plugins found");
  await printTable(
    ["PLUGIN", "VERSION", "INSPECTION", "LOADING", "PROBLEM"],
    rows.map(({ name, version, inspection, loading, problems }) => [
      printable(name),
      version ?? "-",
      verdict(inspection),
      loading === null ? "-" : verdict(loading),
      problems.map(({ code }) => code).join(", ") || "-",
    ]),
  );
  for (const { message } of rows.flatMap(({ problems }) => problems)) {
    console.error(`busbar: ${printable(message)}`);
  }
}

function verdict(value: "ok" | "refused"): string {
  return paint(value, value === "ok" ? "green" : "red");
}
