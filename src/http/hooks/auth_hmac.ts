import { SettingError } from "../../config/setting_error.ts";
import { parseDuration } from "../../config/units.ts";
import type { Check } from "./auth.ts";

export interface HmacSettings {
  secret: string;
  header: string;
  algorithm: "sha1" | "sha256" | "sha512";
  encoding: "hex" | "base64";
  /** What stands before the signature in the header, such as sha256=. */
  prefix: string;
  /** Header with the time in seconds since 1970: what is signed is then "TIME.BODY". */
  timestamp_header?: string;
  tolerance: string;
}

const NAMES = { sha1: "SHA-1", sha256: "SHA-256", sha512: "SHA-512" } as const;
const encoder = new TextEncoder();

/** A signature of the body with a shared secret, as webhooks carry it. */
export async function hmacCheck(
  settings: HmacSettings,
  now: () => number = Date.now,
): Promise<Check> {
  const { secret, header, algorithm, encoding, prefix, timestamp_header } = settings;
  if (!secret) throw new SettingError(["hmac"], "hmac needs a secret");
  const toleranceMs = parseDuration(settings.tolerance);
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(secret),
    { name: "HMAC", hash: NAMES[algorithm] },
    false,
    ["verify"],
  );
  return async (exchange) => {
    const text = exchange.headers.get(header);
    if (text === null) return undefined;
    if (!text.startsWith(prefix)) return { refused: "the signature cannot be read" };
    const signature = decode(text.slice(prefix.length), encoding);
    if (signature === undefined) return { refused: "the signature cannot be read" };
    let signed = await exchange.body();
    if (timestamp_header !== undefined) {
      const time = exchange.headers.get(timestamp_header) ?? "";
      if (!/^\d{1,12}$/.test(time)) return { refused: `header "${timestamp_header}" has no time` };
      if (Math.abs(now() - Number(time) * 1000) > toleranceMs) {
        return { refused: `the time of the signature is more than ${settings.tolerance} away` };
      }
      signed = joined(encoder.encode(`${time}.`), signed);
    }
    const valid = await crypto.subtle.verify(
      "HMAC",
      key,
      signature,
      signed as Uint8Array<ArrayBuffer>,
    );
    return valid ? { subject: "hmac" } : { refused: "the signature is wrong" };
  };
}

function decode(
  text: string,
  encoding: HmacSettings["encoding"],
): Uint8Array<ArrayBuffer> | undefined {
  try {
    return encoding === "hex" ? Uint8Array.fromHex(text) : Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
