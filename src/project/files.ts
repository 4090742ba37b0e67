import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { basename, dirname, join, relative } from "node:path";
import { RunError } from "./errors.ts";

/** SHA-256 of the parts, in order and each with its length, as 64 hex digits. */
export function sha256(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  if (parts.length === 1) return hash.update(parts[0]!).digest("hex");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex");
}

/** What lies at `path`, or `undefined` where nothing does. */
export async function statOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** All files under `path` (or `path` itself, where it is a file), sorted; nothing where it does not exist. */
export async function listFiles(path: string): Promise<string[]> {
  const info = await statOrNothing(path);
  if (!info) return [];
  if (!info.isDirectory) return [path];
  const files: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    files.push(...await listFiles(join(path, entry.name)));
  }
  return files.sort();
}

/** SHA-256 over names (relative to `root`) and contents of the files. */
export async function hashFiles(root: string, files: string[]): Promise<string> {
  const parts: (string | Uint8Array)[] = [];
  for (const file of files) parts.push(relative(root, file), await Deno.readFile(file));
  return sha256("files", ...parts);
}

/**
 * Writes the file by renaming a finished one over it, so that a reader or a process that has it mapped keeps the old
 * one. A file that already has these bytes stays untouched.
 */
export async function writeAtomic(
  path: string,
  content: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const mode = options.mode ?? 0o644;
  const info = await statOrNothing(path);
  if (info?.size === bytes.length && (info.mode ?? mode) % 0o1000 === mode) {
    if (Buffer.compare(await Deno.readFile(path), bytes) === 0) return;
  }
  await Deno.mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
  try {
    await Deno.writeFile(temporary, bytes, { mode });
    await Deno.chmod(temporary, mode);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/**
 * Runs a program without input and gives what it printed to stdout, without the last newline.
 *
 * @throws {RunError} naming the command and holding its stderr, where it fails or is not there
 */
export async function run(
  command: string[],
  options: Pick<Deno.CommandOptions, "cwd" | "env" | "signal"> = {},
): Promise<string> {
  const [program, ...args] = command;
  const name = `${basename(program!)} ${args.slice(0, 3).join(" ")}`.trim();
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program!, { ...options, args, stdin: "null" }).output();
  } catch (error) {
    const message = `Cannot run "${name}": ${(error as Error).message}`;
    throw new RunError(message, { output: "", cause: error });
  }
  const stdout = new TextDecoder().decode(output.stdout);
  const stderr = new TextDecoder().decode(output.stderr);
  if (!output.success) {
    const printed = (stderr || stdout).trimEnd();
    const message = `Cannot run "${name}": exit code ${output.code}\n${printed}`.trimEnd();
    throw new RunError(message, { output: printed });
  }
  // A compiler's warnings are shown, Deno's lines about downloads are not.
  if (stderr && program !== Deno.execPath()) await Deno.stderr.write(output.stderr);
  return stdout.trimEnd();
}

/** Whether a program of that name (or path) can be started. */
export async function commandExists(name: string): Promise<boolean> {
  if (name.includes("/")) return await statOrNothing(name) !== undefined;
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  for (const folder of folders) {
    if ((await Deno.stat(join(folder, name)).catch(() => undefined))?.isFile) return true;
  }
  return false;
}
