/** Loads a plugin's library, which runs its code: only in a cell, and only what inspection accepted. */
import {
  BootstrapLayout,
  ComponentLayout,
  HookLayout,
  KIND_NUMBER,
  LifecycleLayout,
  PluginLayout,
  ProcessorLayout,
  ReactionLayout,
  ServiceLayout,
  SourceLayout,
} from "../../ffi/layout.ts";
import type { ComponentKind } from "../../ffi/layout.ts";
import type { CallName } from "../../ffi/recorder_layout.ts";
import { loadShim } from "../../ffi/shim.ts";
import { PluginError } from "../plugin/errors.ts";
import type { Manifest } from "../plugin/manifest.ts";

const SYMBOLS = {
  busbar_abi_hash: { type: "pointer" },
  busbar_plugin: { parameters: ["pointer" /* host */], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** A component's table in a loaded library. Valid until the process ends: libraries are never unloaded. */
export interface ComponentTable {
  name: string;
  kind: ComponentKind;
  pointer: Deno.PointerObject;
  /** Bytes, as the plugin was compiled. */
  size: number;
}

export interface LoadedPlugin {
  manifest: Manifest;
  /** By component name. */
  tables: Map<string, ComponentTable>;
}

/** Where the functions of each kind lie in its table, in bytes. */
const OFFSETS: Record<ComponentKind, Partial<Record<CallName, number>>> = {
  source: offsets(SourceLayout.offset),
  processor: offsets(ProcessorLayout.offset),
  reaction: offsets(ReactionLayout.offset),
  bootstrap: offsets(BootstrapLayout.offset),
  service: offsets(ServiceLayout.offset),
  hook: offsets(HookLayout.offset),
};

const REQUIRED: Record<ComponentKind, CallName[]> = {
  source: ["create", "destroy", "poll"],
  processor: ["create", "destroy", "process"],
  reaction: ["create", "destroy", "write"],
  bootstrap: ["create", "destroy", "fetch"],
  service: ["create", "destroy", "execute"],
  hook: ["create", "destroy"],
};

function offsets(own: Record<string, number>): Partial<Record<CallName, number>> {
  const { size: _, reserved0: __, reserved: ___, ...lifecycle } = LifecycleLayout.offset;
  const { lifecycle: ____, ...calls } = own;
  return { ...lifecycle, ...calls };
}

/** Byte of a call's function pointer in the table; -1 when this component does not offer it. */
export function offsetOfCall(table: ComponentTable, call: CallName): number {
  const offset = OFFSETS[table.kind][call];
  if (offset === undefined || offset + 8 > table.size) return -1;
  return new Deno.UnsafePointerView(table.pointer).getBigUint64(offset) === 0n ? -1 : offset;
}

/**
 * Loads `library` and compares it with what inspection read from the file.
 *
 * @throws {PluginError} LoadFailed, AbiMismatch or ManifestDiffers
 */
export function loadPluginLibrary(
  plugin: { library: string; manifest: Manifest; abiHash: string },
): LoadedPlugin {
  const { library: path, manifest } = plugin;
  const refuse = (code: "LoadFailed" | "AbiMismatch" | "ManifestDiffers", why: string) =>
    new PluginError(code, `Cannot load plugin "${manifest.name}" from "${path}": ${why}`, { path });
  let symbols;
  try {
    symbols = Deno.dlopen(path, SYMBOLS).symbols;
  } catch (error) {
    throw refuse("LoadFailed", reasonOf(error, path));
  }
  const hash = symbols.busbar_abi_hash === null
    ? ""
    : Deno.UnsafePointerView.getCString(symbols.busbar_abi_hash);
  if (hash !== plugin.abiHash) {
    throw refuse(
      "AbiMismatch",
      `its ABI hash in memory is "${hash}", in the file "${plugin.abiHash}"`,
    );
  }
  const root = symbols.busbar_plugin(loadShim().bb_host());
  if (root === null) {
    throw refuse("LoadFailed", "busbar_plugin() returned null, it refuses to run here");
  }
  try {
    return { manifest, tables: readTables(root, manifest) };
  } catch (error) {
    throw refuse("ManifestDiffers", (error as Error).message);
  }
}

/** The loader's message without Deno's words around it. */
function reasonOf(error: unknown, path: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const at = message.lastIndexOf(`${path}: `);
  const reason = (at < 0 ? message : message.slice(at + path.length + 2)).trim();
  const symbol = /undefined symbol: (\S+)/.exec(reason)?.[1];
  return symbol
    ? `undefined symbol "${symbol}"; link the library that defines it, or name that in plugins.preload`
    : reason;
}

/** Reads the root table. Throws an Error that says how it differs from the manifest. */
function readTables(root: Deno.PointerObject, manifest: Manifest): Map<string, ComponentTable> {
  const at = PluginLayout.offset;
  const view = new Deno.UnsafePointerView(root);
  const size = view.getUint32(at.size);
  if (size < at.extension) {
    throw new Error(
      `its root table says to have ${size} bytes, at least ${at.extension} are needed`,
    );
  }
  const count = view.getUint32(at.component_count);
  const { components } = manifest;
  if (count !== components.length) {
    throw new Error(`its root table has ${count} components, its manifest ${components.length}`);
  }
  const list = view.getPointer(at.components);
  if (list === null) throw new Error("its root table has no list of components");
  const tables = new Map<string, ComponentTable>();
  for (let i = 0; i < count; i++) {
    const table = readComponent(new Deno.UnsafePointerView(list).getPointer(8 * i), i);
    const described = components.find((component) => component.name === table.name);
    if (described === undefined) {
      throw new Error(
        `its root table has component "${table.name}", which its manifest does not name`,
      );
    }
    if (described.kind !== table.kind) {
      throw new Error(
        `component "${table.name}" is a ${table.kind} in its root table and a ${described.kind} in its manifest`,
      );
    }
    if (tables.has(table.name)) {
      throw new Error(`its root table has component "${table.name}" twice`);
    }
    requireCalls(table);
    tables.set(table.name, table);
  }
  return tables;
}

function readComponent(pointer: Deno.PointerValue, index: number): ComponentTable {
  const at = ComponentLayout.offset;
  if (pointer === null) throw new Error(`component ${index} of its root table is null`);
  const view = new Deno.UnsafePointerView(pointer);
  const name = view.getPointer(at.name);
  const table = view.getPointer(at.table);
  if (name === null) throw new Error(`component ${index} of its root table has no name`);
  const text = Deno.UnsafePointerView.getCString(name);
  const number = view.getUint32(at.kind);
  const kind = Object.entries(KIND_NUMBER).find(([, value]) => value === number)?.[0];
  if (kind === undefined) {
    throw new Error(`component "${text}" of its root table has the unknown kind ${number}`);
  }
  if (table === null) {
    throw new Error(`component "${text}" of its root table has no table of functions`);
  }
  const size = new Deno.UnsafePointerView(table).getUint32(LifecycleLayout.offset.size);
  return { name: text, kind: kind as ComponentKind, pointer: table, size };
}

function requireCalls(table: ComponentTable): void {
  const missing = REQUIRED[table.kind].filter((call) => offsetOfCall(table, call) < 0);
  if (missing.length === 0) return;
  const names = missing.map((call) => `"${call}"`).join(", ");
  throw new Error(
    `component "${table.name}" lacks ${names}, which every ${table.kind} must have (its table has ${table.size} bytes)`,
  );
}
