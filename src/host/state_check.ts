import { basename, dirname, join } from "node:path";
import { listTree, treeDigest } from "../plugin/tree.ts";
import { StoreError } from "../store/errors.ts";
import { HostStore } from "../store/host_store.ts";
import { pipelineDatabases } from "../store/letter_box.ts";
import { PipelineStore } from "../store/pipeline_store.ts";

/** Something that is wrong with what a host has stored, and what to do. */
export interface StateProblem {
  path: string;
  message: string;
  /** Nothing can start with the file: it can be moved aside. */
  corrupt: boolean;
}

/** Checks all databases of a data folder and the stored copies of plugins; also while a host runs on it. */
export async function checkState(
  dataDirectory: string,
): Promise<{ checked: number; problems: StateProblem[] }> {
  const databases = [
    { path: HostStore.pathIn(dataDirectory), open: () => HostStore.open(dataDirectory) },
    ...[
      ...pipelineDatabases(dataDirectory).map(({ path }) => path),
      ...serviceDatabases(dataDirectory),
    ].map((path) => ({ path, open: () => PipelineStore.open(path) })),
  ].filter(({ path }) => exists(path));
  const copies = storedCopies(dataDirectory);
  const problems = databases.flatMap(({ path, open }) => checkDatabase(path, open));
  for (const folder of copies) problems.push(...await checkCopy(folder));
  return { checked: databases.length + copies.length, problems };
}

function checkDatabase(
  path: string,
  open: () => PipelineStore | HostStore,
): StateProblem[] {
  try {
    const store = open();
    try {
      const problems = store.integrity();
      const corrupt = problems.length > 0 && isUseless(store, problems);
      return problems.map((message) => ({ path, message: `${path}: ${message}`, corrupt }));
    } finally {
      store.close();
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [{ path, message: error.message, corrupt: error.code === "Corrupt" }];
  }
}

/** A pipeline lives on with damaged letters and buffer rows; moving them aside would cost its checkpoint. */
function isUseless(store: PipelineStore | HostStore, problems: string[]): boolean {
  if (store instanceof HostStore || problems[0]!.startsWith("Structure ")) return true;
  try {
    store.checkpoint();
    return false;
  } catch (error) {
    if (error instanceof StoreError) return true;
    throw error;
  }
}

/** Where services and hooks keep what they save. */
function serviceDatabases(dataDirectory: string): string[] {
  return ["services", "hooks"].map((kind) => join(dataDirectory, kind))
    .flatMap((folder) => names(folder).map((id) => join(folder, id, "pipeline.db")));
}

/** Folders of the copies, which are named by their digests. */
function storedCopies(dataDirectory: string): string[] {
  const root = join(dataDirectory, "plugins");
  return names(root).flatMap((plugin) =>
    names(join(root, plugin)).filter((digest) => /^[0-9a-f]{64}$/.test(digest))
      .map((digest) => join(root, plugin, digest))
  );
}

async function checkCopy(folder: string): Promise<StateProblem[]> {
  const digest = await treeDigest(await listTree(folder)).catch((error: Error) => error.message);
  if (digest === basename(folder)) return [];
  const plugin = basename(dirname(folder));
  return [{
    path: folder,
    message:
      `The stored copy "${folder}" of plugin "${plugin}" is damaged: its digest is ${digest}; ` +
      "reload the plugin or restart the host to copy it anew",
    corrupt: false,
  }];
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return [];
    }
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
