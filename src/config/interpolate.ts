import { isAbsolute, join } from "node:path";
import { readTextFile } from "./files.ts";

/** What `${…}` may read. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths in `${file:…}` start from. */
  folder: string;
}

export interface Interpolated {
  value: string;
  /** Something was put in. */
  inserted: boolean;
  errors: string[];
  warnings: string[];
}

const LARGEST_SECRET = 64 * 1024;
const EXPRESSION = /\$\$\{|\$\{([^}]*)\}|\$\{/g;

/**
 * Replaces `${NAME}`, `${NAME:-default}` (also used when NAME is empty) and `${file:/path}` (without
 * the newlines at its end) in a scalar; `$${` stands for `${`. What is put in is not looked at again.
 */
export function interpolate(text: string, surroundings: Surroundings): Interpolated {
  const result: Interpolated = { value: text, inserted: false, errors: [], warnings: [] };
  if (!text.includes("${")) return result;
  result.value = text.replace(EXPRESSION, (whole, body: string | undefined) => {
    if (whole === "$${") return "${";
    result.inserted = true;
    try {
      if (body === undefined) {
        throw new Error(`Cannot read "\${": no "}" closes it; $\${ is a plain \${`);
      }
      return evaluate(body, surroundings, result.warnings);
    } catch (error) {
      result.errors.push((error as Error).message);
      return "";
    }
  });
  return result;
}

function evaluate(body: string, { env, folder }: Surroundings, warnings: string[]): string {
  if (body.startsWith("file:")) return readSecret(body.slice("file:".length), folder, warnings);
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(body);
  if (match === null) {
    throw new Error(
      `Cannot read "\${${body}}": expected \${NAME}, \${NAME:-default} or \${file:/path}; $\${ is a plain \${`,
    );
  }
  const [, name = "", fallback] = match;
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return value || fallback;
  if (value === undefined) {
    throw new Error(
      `Environment variable "${name}" is not set and has no default, as in \${${name}:-x}`,
    );
  }
  return value;
}

function readSecret(name: string, folder: string, warnings: string[]): string {
  const path = isAbsolute(name) ? name : join(folder, name);
  try {
    const { text, mode } = readTextFile(path, LARGEST_SECRET, { regular: true });
    if ((mode & 0o004) !== 0) {
      warnings.push(`File "${path}" can be read by every user: chmod o-r it if it holds a secret`);
    }
    return text.replace(/[\r\n]+$/, "");
  } catch (error) {
    throw new Error(`Cannot read file "${path}": ${(error as Error).message}`);
  }
}

/** Private-use characters standing for ASCII ones, so that an offset means the same place. */
const MASK = 0xe000;

/**
 * Hides `${…}` from the YAML parser, to which its braces are syntax inside `{ }`, under characters of
 * the same length.
 */
export function mask(text: string): string {
  if (/[\ue000-\ue07f]/.test(text)) return text;
  return text.replace(
    /\$\{[^}\n"'\\]*\}/g,
    (found) =>
      found.replace(
        /[\0-\x7f]/g,
        (character) => String.fromCharCode(MASK + character.charCodeAt(0)),
      ),
  );
}

/** Undoes `mask`. Only for text that `mask` changed. */
export function unmask(text: string): string {
  return text.replace(
    /[\ue000-\ue07f]/g,
    (character) => String.fromCharCode(character.charCodeAt(0) - MASK),
  );
}
