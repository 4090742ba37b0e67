import { hasErrors } from "../../config/diagnostic.ts";
import type { LoadedConfig } from "../../config/load.ts";
import { logText } from "../../log.ts";
import { PluginError } from "../../plugin/errors.ts";
import { type GoodInspection, inspectPlugin, requireGood } from "../../plugin/inspect.ts";
import { listTree, treeDigest } from "../../plugin/tree.ts";
import type { HostStore } from "../../store/host_store.ts";
import { type Plan, planWith } from "../plan.ts";

/**
 * The plan with the versions that plugins were rolled back to, where the files that they were rolled back from still lie: a rollback outlives
 * the host. A copy that cannot be used any more is only warned about.
 */
export async function keepRolledBack(
  loaded: LoadedConfig,
  plan: Plan,
  store: HostStore,
): Promise<Plan> {
  const kept = new Map<GoodInspection, GoodInspection>();
  for (const plugin of plan.plugins.plugins) {
    const copy = await copyInstead(plugin, plan, store);
    if (copy !== undefined) kept.set(plugin, copy);
  }
  if (kept.size === 0) return plan;
  const plugins = plan.plugins.plugins.map((plugin) => kept.get(plugin) ?? plugin);
  const next = await planWith(loaded, { ...plan.plugins, plugins });
  const names = [...kept.keys()].map(({ name }) => name);
  if (!hasErrors(next.diagnostics)) return next;
  say(names, "does not fit the configuration any more");
  return plan;
}

async function copyInstead(
  plugin: GoodInspection,
  { plugins }: Plan,
  store: HostStore,
): Promise<GoodInspection | undefined> {
  const { name, folder, library, path } = plugin;
  const from = store.rolledBackFrom(name);
  const copy = store.current(name);
  if (from === undefined || copy === undefined) return undefined;
  if (await treeDigest(await listTree(folder ?? library)) !== from) return undefined;
  try {
    const found = requireGood(await inspectPlugin(copy.folder, plugins.rules.inspect));
    // It is still found where the operator put it.
    return { ...found, path };
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    say([name], `cannot be used: ${error.message}`);
    return undefined;
  }
}

function say(names: string[], why: string): void {
  const list = names.map((name) => `"${name}"`).join(", ");
  const text =
    `The version that plugin ${list} was rolled back to ${why}; taking the present files`;
  logText(["busbar", "host"], "warning", { text, properties: { plugin: names.join(", ") } });
}
