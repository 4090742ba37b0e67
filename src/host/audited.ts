import type { Actor } from "../admin/control.ts";
import { logText } from "../log.ts";
import type { HostStore } from "../store/host_store.ts";

/** A change that was asked for. */
export interface Change {
  who: Actor;
  /** As "plugin.disable". */
  action: string;
  target: string;
  /** How the target is, before and after. */
  state?: () => unknown;
}

/** Does `work` and notes in the audit log what was asked for, by whom, and what came of it. */
export async function audited<T>(
  store: HostStore,
  change: Change,
  work: () => T | Promise<T>,
): Promise<T> {
  const before = change.state?.();
  try {
    const result = await work();
    note(store, change, { before, after: change.state?.() ?? result, result: "ok" });
    return result;
  } catch (error) {
    const { message } = error as Error;
    note(store, change, { before, after: change.state?.(), result: message });
    throw error;
  }
}

/** Writes to the audit log and the log. */
export function note(
  store: HostStore,
  { who, action, target }: Omit<Change, "state">,
  outcome: { before: unknown; after: unknown; result: string },
): void {
  const ok = outcome.result === "ok";
  logText(["busbar", "host"], ok ? "info" : "warning", {
    text: `${action} of "${target}" through ${who}: ${outcome.result}`,
    properties: { action, target, who },
  });
  try {
    store.audit({ who, action, target, ...outcome });
  } catch (error) {
    // The change is made; a disk that is full must not say otherwise.
    logText(["busbar", "host"], "error", {
      text: (error as Error).message,
      properties: { action },
    });
  }
}
