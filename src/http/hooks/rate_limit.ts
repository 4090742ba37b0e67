import { createHash } from "node:crypto";
import { AgedMap } from "../../aged_map.ts";
import { SettingError } from "../../config/setting_error.ts";
import { parseRate } from "../../config/units.ts";
import { errorAnswer, type Exchange, type HttpHook } from "../exchange.ts";

interface Settings {
  rate: string | number;
  burst?: number;
  by: "client" | "subject" | "header" | "all";
  header?: string;
  max_keys: number;
}

interface Bucket {
  tokens: number;
  /** In ms. */
  at: number;
}

/** Longer keys are remembered by digest, so that nobody fills the memory with them. */
const LONGEST_KEY = 64;

/** Lets each client make so many requests a second, with a bucket of tokens for each. */
export function rateLimit(
  config: Record<string, unknown>,
  now: () => number = () => performance.now(),
): HttpHook {
  const settings = config as unknown as Settings;
  const rate = parseRate(settings.rate);
  if (rate <= 0) throw new SettingError(["rate"], `rate "${settings.rate}" lets nothing pass`);
  if (settings.by === "header" && settings.header === undefined) {
    throw new SettingError(["by"], 'by: "header" needs the name of one in "header"');
  }
  const burst = settings.burst ?? Math.max(1, Math.ceil(rate));
  const buckets = new AgedMap<Bucket>();
  return {
    before(exchange) {
      const key = shortened(keyOf(settings, exchange));
      const at = now();
      const before = buckets.get(key) ?? { tokens: burst, at };
      const tokens = Math.min(burst, before.tokens + (at - before.at) / 1000 * rate);
      // The newest stand last, so that the oldest go first.
      buckets.delete(key);
      buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, at });
      if (buckets.size > settings.max_keys) buckets.delete(buckets.oldest!);
      if (tokens >= 1) return undefined;
      const seconds = Math.max(1, Math.ceil((1 - tokens) / rate));
      return errorAnswer(429, {
        code: "TooManyRequests",
        message: `More than ${settings.rate} requests: try again in ${seconds} s`,
        headers: { "retry-after": `${seconds}` },
      });
    },
  };
}

function keyOf({ by, header }: Settings, { remote, subject, headers }: Exchange): string {
  switch (by) {
    case "all":
      return "";
    case "subject":
      return subject === undefined ? clientOf(remote) : `subject ${subject}`;
    case "header": {
      const value = headers.get(header!);
      return value === null ? clientOf(remote) : `header ${value}`;
    }
    case "client":
      return clientOf(remote);
  }
}

/** Who has one address of IPv6 has all with the same first half. */
function clientOf(remote: string): string {
  if (!remote.includes(":") || remote.includes(".")) return `client ${remote}`;
  const [before = "", after] = remote.split("::");
  const groups = before.split(":");
  if (after !== undefined) {
    const last = after.split(":");
    groups.push(...Array<string>(8 - groups.length - last.length).fill("0"), ...last);
  }
  return `client ${groups.slice(0, 4).join(":")}`;
}

function shortened(key: string): string {
  return key.length <= LONGEST_KEY ? key : createHash("sha256").update(key).digest("base64");
}
