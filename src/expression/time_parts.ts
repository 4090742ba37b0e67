/** The functions of times such as `getHours`, with and without a time zone. */
import type { Environment } from "@marcbachmann/cel-js";

const TIMESTAMP = "google.protobuf.Timestamp";
const DAY = 86_400_000;

/** Of a time whose UTC is the clock on the wall. */
const PARTS: Readonly<Record<string, (wall: Date) => number>> = {
  getFullYear: (wall) => wall.getUTCFullYear(),
  getMonth: (wall) => wall.getUTCMonth(),
  getDate: (wall) => wall.getUTCDate(),
  getDayOfMonth: (wall) => wall.getUTCDate() - 1,
  getDayOfWeek: (wall) => wall.getUTCDay(),
  getDayOfYear: (wall) => Math.floor((wall.getTime() - new Date(wall).setUTCMonth(0, 1)) / DAY),
  getHours: (wall) => wall.getUTCHours(),
  getMinutes: (wall) => wall.getUTCMinutes(),
  getSeconds: (wall) => wall.getUTCSeconds(),
};

export function isTimePart(name: string): boolean {
  return Object.hasOwn(PARTS, name);
}

/** What the library chooses from for a call. */
interface Candidates {
  declarations: { receiverType: { type: string } | null }[];
}

/**
 * Puts ours in the place of the library's, which go by way of the time zone of the machine: they are wrong where that has no such
 * hour, and where it has daylight saving.
 */
export function replaceTimeParts(environment: Environment): void {
  for (const [name, part] of Object.entries(PARTS)) {
    const handler = (date: Date, zone?: string) =>
      BigInt(part(zone === undefined ? date : wallTime(date, zone)));
    for (const zone of ["", '"UTC"']) {
      const parsed = environment.parse(`timestamp(0).${name}(${zone})`);
      parsed.check();
      const { candidates } = parsed.ast as unknown as { candidates: Candidates };
      candidates.declarations = candidates.declarations.map((one) =>
        one.receiverType?.type === TIMESTAMP
          ? Object.create(one, { handler: { value: handler } })
          : one
      );
    }
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** A time whose UTC is what clocks in `zone` show at `date`. Throws for a zone that there is not. */
export function wallTime(date: Date, zone: string): Date {
  let format = formats.get(zone);
  if (format === undefined) {
    format = formatOf(zone);
    // Events may name any; there are some hundreds.
    if (formats.size < 1000) formats.set(zone, format);
  }
  const parts: Record<string, string> = {};
  for (const { type, value } of format.formatToParts(date)) parts[type] = value;
  const year = Number(parts["year"]);
  const wall = new Date(date);
  wall.setUTCFullYear(
    parts["era"] === "BC" ? 1 - year : year,
    Number(parts["month"]) - 1,
    Number(parts["day"]),
  );
  wall.setUTCHours(Number(parts["hour"]), Number(parts["minute"]), Number(parts["second"]));
  return wall;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    throw new Error(`There is no time zone ${JSON.stringify(timeZone.slice(0, 64))}`);
  }
}
