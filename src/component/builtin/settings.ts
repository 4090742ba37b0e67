import { SettingError } from "../../config/setting_error.ts";
import { parseSize } from "../../config/units.ts";

/** The longest line that a source gives, in bytes. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** The bytes that `max_line` says. @throws Error where it is not between 1 byte and 64 MiB */
export function lineLimit(value: string | number): number {
  const bytes = parseSize(value);
  if (bytes >= 1 && bytes <= LONGEST_LINE) return bytes;
  throw new SettingError(
    ["max_line"],
    `Cannot cut lines to ${bytes} bytes: max_line is from 1 to ${LONGEST_LINE}`,
  );
}
