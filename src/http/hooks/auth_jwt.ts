import {
  createLocalJWKSet,
  errors,
  importSPKI,
  type JSONWebKeySet,
  jwtVerify,
  type JWTVerifyGetKey,
} from "jose";
import { SettingError } from "../../config/setting_error.ts";
import { parseDuration } from "../../config/units.ts";
import type { Check } from "./auth.ts";

export interface JwtSettings {
  algorithms: string[];
  /** For HS…: the shared secret. */
  secret?: string;
  /** For all others: one public key, PEM. */
  public_key?: string;
  /** Or a set of them, JSON. */
  jwks?: string;
  issuer?: string | string[];
  audience?: string | string[];
  clock_tolerance: string;
  /** Claims that must be there. */
  required: string[];
}

type Key = JWTVerifyGetKey | CryptoKey | Uint8Array;

/** A JSON Web Token in `Authorization: Bearer`. */
export async function jwtCheck(settings: JwtSettings): Promise<Check> {
  const { algorithms, issuer, audience, required } = settings;
  const key = await keyOf(settings);
  const options = {
    algorithms,
    clockTolerance: parseDuration(settings.clock_tolerance) / 1000,
    requiredClaims: required,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
  const verify = (token: string) =>
    typeof key === "function" ? jwtVerify(token, key, options) : jwtVerify(token, key, options);
  return async ({ headers }) => {
    const token = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (token === undefined) return undefined;
    try {
      const { payload } = await verify(token);
      const subject: unknown = payload.sub ?? "jwt";
      return typeof subject === "string" ? { subject } : { refused: "sub of the token is no text" };
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) return { refused: "the token cannot be read" };
      return { refused: `the token is not valid: ${error.message}` };
    }
  };
}

/** A secret is for HS… alone, so that nobody signs with a public key that everyone knows. */
async function keyOf({ algorithms, secret, public_key, jwks }: JwtSettings): Promise<Key> {
  const given = Object.entries({ secret, public_key, jwks }).filter(([, value]) => value);
  if (given.length !== 1) {
    throw new SettingError(["jwt"], "jwt needs one of secret, public_key and jwks");
  }
  const shared = algorithms.filter((name) => name.startsWith("HS"));
  if (secret && shared.length !== algorithms.length) {
    throw new SettingError(
      ["jwt", "algorithms"],
      `jwt.secret is for HS256, HS384 and HS512, not for ${algorithms.join(", ")}`,
    );
  }
  if (!secret && shared.length > 0) {
    throw new SettingError(["jwt", "algorithms"], `jwt needs a secret for ${shared.join(", ")}`);
  }
  if (secret) {
    const bytes = new TextEncoder().encode(secret);
    if (bytes.length < 32) {
      throw new SettingError(["jwt", "secret"], "jwt.secret must have at least 32 bytes");
    }
    return bytes;
  }
  if (jwks) return keySet(jwks);
  if (algorithms.length > 1) {
    throw new SettingError(
      ["jwt", "algorithms"],
      "jwt.public_key is for one algorithm: name it alone",
    );
  }
  try {
    return await importSPKI(public_key!, algorithms[0]!);
  } catch (cause) {
    const message = `jwt.public_key is no key for ${algorithms[0]}: ${(cause as Error).message}`;
    throw new SettingError(["jwt", "public_key"], message, { cause });
  }
}

function keySet(text: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch (cause) {
    const message = `jwt.jwks is no set of keys: ${(cause as Error).message}`;
    throw new SettingError(["jwt", "jwks"], message, { cause });
  }
}
