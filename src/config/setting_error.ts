import type { Path } from "./source.ts";

/** A setting that its schema allows and that still cannot be used. */
export class SettingError extends Error {
  override readonly name = "SettingError";
  /** Where it stands among the settings. */
  readonly keys: Path;

  constructor(keys: Path, message: string, options?: ErrorOptions) {
    super(message, options);
    this.keys = keys;
  }
}

/** Blames a setting for what `action` throws. */
export function blaming<T>(keys: Path, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new SettingError(keys, (cause as Error).message, { cause });
  }
}
