import { join } from "node:path";
import { run } from "../../../scripts/lib/files.ts";
import { pause } from "../lib/processes.ts";
import type { Fault } from "./fault.ts";

/** Takes all room on the disk of data folder and archive for a while. */
const fillDisk: Fault = {
  kind: "disk_full",
  weight: 1,
  // A host that starts needs room for its files.
  exclusive: true,
  unavailable: ({ diskBytes }) =>
    diskBytes === undefined ? "needs root, to mount a small disk" : undefined,
  async strike({ places, diskBytes, log }, random) {
    const filler = join(places.disk, "filler");
    const time = random.between(500, 2500);
    try {
      const file = await Deno.open(filler, { create: true, write: true });
      try {
        // Down to the last page: first in large pieces, then in small ones.
        for (const piece of [diskBytes! / 64, 4096]) {
          const zeros = new Uint8Array(piece);
          try {
            for (;;) await file.write(zeros);
          } catch { /* full */ }
        }
      } finally {
        file.close();
      }
      log(`disk full for ${time.toFixed()} ms`);
      await pause(time);
    } finally {
      await Deno.remove(filler);
    }
    return true;
  },
};

export const DISK_FAULTS: Fault[] = [fillDisk];

/** Mounts an empty disk of so many bytes at `folder`; whether that can be done here. */
export async function mountDisk(folder: string, bytes: number): Promise<boolean> {
  try {
    await run(["mount", "-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tmpfs", folder]);
    return true;
  } catch {
    return false;
  }
}

export async function unmountDisk(folder: string): Promise<void> {
  await run(["umount", "--lazy", folder]);
}
