import { timingSafeEqual } from "node:crypto";
import { SettingError } from "../../config/setting_error.ts";
import type { Check } from "./auth.ts";

export interface BasicSettings {
  realm: string;
  /** Passwords by name. */
  users: Record<string, string>;
}

/** HTTP Basic: a name and a password with every request. */
export async function basicCheck({ users }: BasicSettings): Promise<Check> {
  const digests = new Map<string, Uint8Array>();
  for (const [name, password] of Object.entries(users)) {
    if (password === "") {
      throw new SettingError(["basic", "users", name], `the password of user "${name}" is empty`);
    }
    digests.set(name, await digest(password));
  }
  const nobody = await digest(crypto.randomUUID());
  return async ({ headers }) => {
    const given = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (given === undefined) return undefined;
    const text = decode(given);
    const colon = text?.indexOf(":") ?? -1;
    if (text === undefined || colon < 0) return { refused: "credentials cannot be read" };
    const name = text.slice(0, colon);
    // An unknown name takes as long as a known one.
    const known = digests.get(name) ?? nobody;
    const matches = timingSafeEqual(await digest(text.slice(colon + 1)), known);
    return matches && known !== nobody ? { subject: name } : { refused: "wrong name or password" };
  };
}

function decode(text: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(text));
  } catch {
    return undefined;
  }
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
