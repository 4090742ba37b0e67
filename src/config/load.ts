import { dirname, resolve } from "node:path";
import { defaultDataDir } from "./data_dir.ts";
import { ConfigError, type Diagnostic, hasErrors, sortDiagnostics } from "./diagnostic.ts";
import {
  applyOverrides,
  environmentOverrides,
  type FlagOverride,
  flagOverrides,
  setOverrides,
} from "./overrides.ts";
import { readTextFile } from "./files.ts";
import type { Config } from "./schema.ts";
import { checkSchema } from "./schema_check.ts";
import { ConfigSource, type Path } from "./source.ts";
import { parseText } from "./yaml.ts";

export interface LoadOptions {
  /** The file to read; with `text`, only its name and folder count. */
  path?: string;
  /** What the file says, instead of reading it. Without path and text all settings are defaults. */
  text?: string;
  /** Variables for `${NAME}`, `BUSBAR_…` and the user's folders. */
  env: Readonly<Record<string, string | undefined>>;
  /** `a.b.c=value`, as given with `--set`. */
  sets?: readonly string[];
  /** Dedicated flags. */
  overrides?: readonly FlagOverride[];
}

export interface LoadedConfig {
  config: Config;
  source: ConfigSource;
  warnings: Diagnostic[];
}

const LARGEST_FILE = 4 * 1024 * 1024;

/**
 * Reads and checks a configuration: file, then `BUSBAR_…` variables, then `--set`, then flags. Relative
 * paths of the file start from its folder, those of overrides from the working directory. Looks at no
 * plugin: see `resolveConfig`.
 * @throws ConfigError with everything that is wrong
 */
export function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  return new Promise((done) => done(load(options)));
}

function load(options: LoadOptions): LoadedConfig {
  const { path, env, sets = [], overrides = [] } = options;
  const file = path ?? "(no file)";
  const text = options.text ?? (path === undefined ? "" : readConfigFile(path));
  const folder = path === undefined ? Deno.cwd() : dirname(resolve(path));
  const { source, tree, diagnostics } = parseText(file, text, { env, folder });
  if (hasErrors(diagnostics) && Object.keys(tree).length === 0) {
    throw new ConfigError(file, sortDiagnostics(diagnostics));
  }
  diagnostics.push(...applyOverrides(source, tree, [
    ...environmentOverrides(env),
    ...setOverrides(sets),
    ...flagOverrides(overrides),
  ]));
  const checked = checkSchema(source, tree);
  diagnostics.push(...checked.diagnostics);
  if (checked.config !== undefined) diagnostics.push(...checkAddresses(source, checked.config));
  sortDiagnostics(diagnostics);
  if (checked.config === undefined || hasErrors(diagnostics)) {
    throw new ConfigError(file, diagnostics);
  }
  const config = { ...checked.config, data_dir: checked.config.data_dir ?? defaultDataDir(env) };
  resolvePaths(config, source, folder);
  return { config, source, warnings: diagnostics };
}

function readConfigFile(path: string): string {
  try {
    return readTextFile(path, LARGEST_FILE).text;
  } catch (error) {
    const message = `Cannot read configuration "${path}": ${(error as Error).message}`;
    throw new ConfigError(path, [{ severity: "error", file: path, path: "", message }]);
  }
}

/** An address that other machines reach needs TLS, which this version has not, or a clear word. */
function checkAddresses(
  source: ConfigSource,
  { server, http }: Pick<Config, "server" | "http">,
): Diagnostic[] {
  const listeners = [
    ...(server.enabled ? [{ path: ["server"], ...server }] : []),
    ...(http === undefined || http.listen.tls !== undefined
      ? []
      : [{ path: ["http", "listen"], ...http.listen }]),
  ];
  return listeners.flatMap(({ path, host, insecure }) => {
    const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/i.test(host);
    if (insecure || loopback) return [];
    const name = path.join(".");
    const message = `Cannot listen on ${name}.host "${host}": other machines reach it without TLS`;
    return [source.diagnostic([...path, "host"], message, {
      suggestion: `use 127.0.0.1, or allow it with ${name}.insecure: true`,
    })];
  });
}

function resolvePaths(config: Config, source: ConfigSource, folder: string): void {
  const absolute = (path: string, where: Path) =>
    resolve(source.place(where)?.origin === undefined ? folder : Deno.cwd(), path);
  const { plugins } = config;
  config.data_dir = absolute(config.data_dir, ["data_dir"]);
  plugins.directories = plugins.directories?.map((path, index) =>
    absolute(path, ["plugins", "directories", index])
  );
  // A bare name is looked up by the system's loader.
  plugins.preload = plugins.preload.map((path, index) =>
    path.includes("/") ? absolute(path, ["plugins", "preload", index]) : path
  );
  const tls = config.http?.listen.tls;
  if (tls !== undefined) {
    for (const key of ["certificate", "key"] as const) {
      tls[key] = absolute(tls[key], ["http", "listen", "tls", key]);
    }
  }
  for (const [name, entry] of Object.entries(plugins.use)) {
    if (entry.path !== undefined) {
      entry.path = absolute(entry.path, ["plugins", "use", name, "path"]);
    }
  }
}
