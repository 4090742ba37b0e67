import { relative } from "node:path";

/** Whether `path` is `folder` itself or lies in it; both absolute, symbolic links not followed. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith("../") && !way.startsWith("/"));
}
