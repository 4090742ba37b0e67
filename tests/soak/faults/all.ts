import { DISK_FAULTS } from "./disk.ts";
import type { Fault } from "./fault.ts";
import { PROCESS_FAULTS } from "./processes.ts";
import { REACTION_FAULTS } from "./reactions.ts";
import { RELOAD_FAULTS } from "./reloads.ts";

export const ALL_FAULTS: Fault[] = [
  ...PROCESS_FAULTS,
  ...REACTION_FAULTS,
  ...RELOAD_FAULTS,
  ...DISK_FAULTS,
];
