import {
  monthOf,
  nanosecondsOf,
  type Parts,
  type TimeContext,
  timeReader,
} from "../../config/time_formats.ts";

/** Priority, version, time, host, app, process, message id. */
const RFC5424 = /^<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) /;
/** Priority, which files lack, time, host, perhaps app and process, message. */
const RFC3164 =
  /^(?:<(\d{1,3})>)?(?:([A-Z][a-z]{2}) ([ \d]?\d) (\d\d):(\d\d):(\d\d)|(\d{4}-\d\d-\d\dT\S+)) (\S+) (?:([^\s:[\]]{1,48})(?:\[([^\]\s]*)\])?: ?)?([^]*)$/;
const PARAMETER = / ([^\s="\]]+)="((?:[^"\\\]]|\\[^])*)"/y;
const ID = /\[([^\s="\]]+)/y;
const HIGHEST_PRIORITY = 191;
const isoTime = timeReader("iso8601");

export interface SyslogMessage {
  fields: Record<string, unknown>;
  /** Nanoseconds since 1970; undefined where it does not say. */
  time: bigint | undefined;
}

/** A message by RFC 5424 where its version follows the priority, else by RFC 3164. What it does not say is null. */
export function syslogMessage(text: string, context: TimeContext): SyslogMessage {
  return /^<\d{1,3}>1 /.test(text) ? rfc5424(text, context) : rfc3164(text, context);
}

function rfc5424(text: string, context: TimeContext): SyslogMessage {
  const match = RFC5424.exec(text);
  if (match === null) throw new Error("Cannot read syslog: the header of RFC 5424 is incomplete");
  const [header, priority, timestamp, host, app, procid, msgid] = match;
  const { elements, end } = structuredData(text, header.length);
  const rest = text.slice(end);
  if (rest !== "" && !rest.startsWith(" ")) {
    throw new Error("Cannot read syslog: there is no blank behind the structured data");
  }
  const time = timestamp === "-" ? undefined : isoTime(timestamp, context);
  return {
    fields: {
      ...ofPriority(priority!),
      timestamp: orNull(timestamp!),
      host: orNull(host!),
      app: orNull(app!),
      procid: orNull(procid!),
      msgid: orNull(msgid!),
      ...(elements === undefined ? {} : { structured_data: elements }),
      message: rest.slice(1).replace(/^\ufeff/, ""),
    },
    time,
  };
}

/** `-`, or elements such as `[id name="value"]`, from character `at` on. */
function structuredData(
  text: string,
  at: number,
): { elements?: Record<string, Record<string, string>>; end: number } {
  if (text[at] === "-") return { end: at + 1 };
  const elements = Object.create(null) as Record<string, Record<string, string>>;
  while (text[at] === "[") {
    ID.lastIndex = at;
    const id = ID.exec(text)?.[1];
    if (id === undefined) break;
    const parameters = elements[id] = Object.create(null) as Record<string, string>;
    for (at = ID.lastIndex;; at = PARAMETER.lastIndex) {
      PARAMETER.lastIndex = at;
      const match = PARAMETER.exec(text);
      if (match === null) break;
      parameters[match[1]!] = match[2]!.replace(/\\(["\\\]])/g, "$1");
    }
    if (text[at] !== "]") throw new Error(`Cannot read syslog: element "${id}" has no end`);
    at++;
    if (text[at] !== "[") return { elements, end: at };
  }
  throw new Error("Cannot read syslog: there is no structured data where it has to be");
}

function rfc3164(text: string, context: TimeContext): SyslogMessage {
  const match = RFC3164.exec(text);
  if (match === null) throw new Error("Cannot read syslog: it is neither RFC 5424 nor RFC 3164");
  const [, priority, month, day, hour, minute, second, iso, host, app, procid, message] = match;
  let time: bigint;
  if (iso !== undefined) time = isoTime(iso, context);
  else {
    const parts: Parts = {
      month: monthOf(month!),
      day: Number(day),
      hour: Number(hour),
      minute: Number(minute),
      second: Number(second),
      fraction: "",
    };
    time = nanosecondsOf(parts, context);
  }
  return {
    fields: {
      ...(priority === undefined ? { facility: null, severity: null } : ofPriority(priority)),
      timestamp: new Date(Number(time / 1_000_000n)).toISOString(),
      host,
      app: app ?? null,
      procid: procid ?? null,
      msgid: null,
      message,
    },
    time,
  };
}

function ofPriority(text: string): { facility: number; severity: number } {
  const priority = Number(text);
  if (priority > HIGHEST_PRIORITY) {
    throw new Error(`Cannot read syslog: priority ${text} is more than ${HIGHEST_PRIORITY}`);
  }
  return { facility: priority >> 3, severity: priority & 7 };
}

function orNull(text: string): string | null {
  return text === "-" ? null : text;
}
