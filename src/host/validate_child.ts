import { join } from "node:path";
import { loadShim } from "../../ffi/shim.ts";
import { createRecorder, planRecorder } from "../../ffi/flight_recorder.ts";
import { loadPluginLibrary } from "../component/plugin_library.ts";
import { PluginError } from "../plugin/errors.ts";
import {
  REQUEST_FILE,
  RESULT_FILE,
  type ValidationRequest,
  type ValidationResult,
} from "./validate.ts";

/**
 * The throw-away process of `validate.ts`: loads a library and compares its tables with its manifest. The result goes into a file,
 * since the library may print or end the process.
 */
export async function runValidation([folder]: string[]): Promise<void> {
  if (folder === undefined) throw new Error("Cannot validate: no folder is named");
  const request: ValidationRequest = JSON.parse(
    await Deno.readTextFile(join(folder, REQUEST_FILE)),
  );
  const result = JSON.stringify(validate(request));
  await Deno.writeTextFile(join(folder, RESULT_FILE), result);
  // What the library has started, such as a thread, must not keep the process.
  Deno.exit(0);
}

function validate(request: ValidationRequest): ValidationResult {
  const shim = loadShim();
  const { buffer } = createRecorder(planRecorder(0, 0));
  // A library may already log when it is loaded; and this process ends with the one that started it.
  shim.bb_init(Deno.UnsafePointer.of(buffer), Deno.ppid, 0n);
  try {
    for (const path of request.preload) {
      const error = shim.bb_preload(new TextEncoder().encode(`${path}\0`));
      if (error !== null) {
        const reason = Deno.UnsafePointerView.getCString(error);
        return { ok: false, code: "LoadFailed", message: `Cannot preload "${path}": ${reason}` };
      }
    }
    const { tables } = loadPluginLibrary(request);
    const components = [...tables.values()].map(({ kind, name }) => ({ kind, name }));
    return { ok: true, components };
  } catch (error) {
    if (!(error instanceof PluginError)) throw error;
    return { ok: false, code: error.code, message: error.message };
  }
}
