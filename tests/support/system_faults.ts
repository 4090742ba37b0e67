/** Faults of the system that need no rights, see system_faults.c. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT } from "./c_program.ts";

export type SystemFault = "full" | "read-only" | "past";

/** A fault that can be had in processes which are started with {@linkcode env}. */
export class SystemFaults {
  readonly env: Record<string, string>;
  readonly #control: string;

  /** Compiles into `scratch`. `folder`: whose disk has the fault. */
  static async make(scratch: string, folder: string): Promise<SystemFaults> {
    const library = join(scratch, "system_faults.so");
    const { success, stderr } = await new Deno.Command("gcc", {
      args: [
        ...["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"],
        ...[join(PROJECT, "tests/support/system_faults.c"), "-o", library, "-ldl"],
      ],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new SystemFaults(library, { control: join(scratch, "fault"), folder });
  }

  private constructor(library: string, { control, folder }: { control: string; folder: string }) {
    this.env = { LD_PRELOAD: library, FAULT_FILE: control, FAULT_FOLDER: folder };
    this.#control = control;
  }

  strike(fault: SystemFault): void {
    // Renamed into place: nobody shall read half a word.
    Deno.writeTextFileSync(`${this.#control}.new`, fault);
    Deno.renameSync(`${this.#control}.new`, this.#control);
  }

  mend(): void {
    Deno.removeSync(this.#control);
  }
}
