import { Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent } from "../builtin.ts";

/** Accepts every event and forgets it. */
export function discard(): BuiltinComponent {
  return { write: () => Status.OK };
}
