import { RecordFlag, Status } from "../../../ffi/layout.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseSize } from "../../config/units.ts";
import { RecordReader } from "../../event/reader.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import type { LogLevelName } from "../cell_log.ts";
import { isoTime, operationName, sourceName, textMember } from "./event_text.ts";

/** A log record has room for about 2 KB with all its fields. */
const LONGEST_PAYLOAD = 1024;
const LONGEST_KEY = 256;

interface Settings {
  level: LogLevelName;
  max_payload: string | number;
}

/** Writes each event as a log record. */
export function log(context: BuiltinContext): BuiltinComponent {
  const settings = context.config as unknown as Settings;
  const maxPayload = payloadLimit(settings);
  const reader = new RecordReader();
  return {
    write(batch) {
      reader.open(batch);
      while (reader.next()) {
        const { payload, key, flags } = reader;
        context.log(settings.level, "Event", {
          sequence: reader.sequence,
          source: sourceName(context, reader.source),
          operation: operationName(reader.operation),
          timestamp: isoTime(reader.timestamp) ?? undefined,
          ...(key.length > 0 ? textMember("key", key, LONGEST_KEY) : {}),
          ...textMember("payload", payload, maxPayload),
          payload_bytes: payload.length > maxPayload ? payload.length : undefined,
          marked: (flags & RecordFlag.MARKED) !== 0 ? true : undefined,
        });
      }
      if (reader.malformed === "") return Status.OK;
      batch.done = reader.index + 1;
      return Status.INVALID;
    },
  };
}

log.check = (config: Record<string, unknown>) => payloadLimit(config as unknown as Settings);

function payloadLimit({ max_payload }: Settings): number {
  const bytes = parseSize(max_payload);
  if (bytes <= LONGEST_PAYLOAD) return bytes;
  throw new SettingError(
    ["max_payload"],
    `Cannot log payloads of ${bytes} bytes: max_payload is at most ${LONGEST_PAYLOAD}`,
  );
}
