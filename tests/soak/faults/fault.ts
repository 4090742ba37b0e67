import type { SoakHost } from "../lib/host.ts";
import type { SoakPlugin } from "../lib/plugins.ts";
import type { Random } from "../lib/random.ts";
import type { Change, Places } from "../lib/settings.ts";

/** What faults work on. */
export interface Scene {
  host: SoakHost;
  plugin: SoakPlugin;
  places: Places;
  /** Where data folder and archive lie on a disk of their own that may be filled: its size in bytes, else undefined. */
  diskBytes: number | undefined;
  /** Longest time without events that busbar said a reload took, in ms. */
  longestGap: number;
  /** Reloads that took place. */
  reloads: number;
  /** Writes the configuration. */
  configure(change: Change): Promise<void>;
  /** A line for `chaos.log`. */
  log(text: string): void;
  /** Something that must not be, whatever the raw files say. */
  problem(text: string): void;
}

/** One way to trouble a running busbar. */
export interface Fault {
  kind: string;
  /** How often it is drawn, compared with others. */
  weight: number;
  /** Whether no other such fault may be under way: both would change what a start of the host finds. */
  exclusive?: boolean;
  /** Why it cannot be had here; undefined where it can. */
  unavailable?(scene: Scene): Promise<string | undefined> | string | undefined;
  /** Brings it about, and puts right again what it broke. Whether it took place. */
  strike(scene: Scene, random: Random): Promise<boolean>;
}
