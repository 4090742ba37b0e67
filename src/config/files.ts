/**
 * Reads a UTF-8 text file.
 * @param limit the most bytes it may have
 * @param options.regular refuse what is no regular file, since a FIFO or device may block for ever
 * @throws Error whose message is the reason alone: `there is no such file`
 */
export function readTextFile(
  path: string,
  limit: number,
  { regular = false }: { regular?: boolean } = {},
): { text: string; mode: number } {
  const info = attempt(() => Deno.statSync(path));
  if (info.isDirectory) throw new Error("it is a folder");
  if (regular && !info.isFile) throw new Error("it is not a regular file");
  if (info.size > limit) throw new Error(`it is larger than ${limit} bytes`);
  const bytes = attempt(() => Deno.readFileSync(path));
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), mode: info.mode ?? 0 };
  } catch {
    throw new Error("it is not UTF-8 text");
  }
}

function attempt<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error("there is no such file");
    if (error instanceof Deno.errors.PermissionDenied) throw new Error("permission denied");
    throw new Error((error as Error).message.replace(/ \(os error.*$/s, ""));
  }
}
