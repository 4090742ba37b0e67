import type { Manifest } from "../../../plugin/manifest.ts";

type Component = Manifest["components"][number];
type Schema = Record<string, unknown>;

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

function settings(properties: Record<string, Schema>): Schema {
  return { $schema: DIALECT, type: "object", additionalProperties: false, properties };
}

function group(description: string, properties: Record<string, Schema>, required: string[] = []) {
  return { description, type: "object", additionalProperties: false, properties, required };
}

const texts = (description: string, rest: Schema = {}): Schema => ({
  description,
  type: "array",
  items: { type: "string", minLength: 1 },
  ...rest,
});

const oneOrSome = (description: string): Schema => ({
  description,
  anyOf: [{ type: "string" }, texts(description, { minItems: 1 })],
});

const SECRET = { type: "string", minLength: 1, writeOnly: true };

export const AUTH: Component = {
  kind: "hook",
  name: "auth",
  description: "Lets in requests with a token, a signature or a password",
  config_schema: settings({
    jwt: group("JSON Web Tokens in Authorization: Bearer", {
      algorithms: texts("Algorithms that are taken", {
        items: {
          enum: ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
        },
        minItems: 1,
      }),
      secret: { ...SECRET, description: "Shared secret for HS256, HS384 and HS512" },
      public_key: { description: "Public key, PEM", type: "string", minLength: 1 },
      jwks: { description: "Set of public keys, JSON", type: "string", minLength: 1 },
      issuer: oneOrSome("What iss must be, or a list of these"),
      audience: oneOrSome("What aud must hold, or a list of which it must hold one"),
      clock_tolerance: {
        description: "How far clocks may differ",
        type: "string",
        format: "busbar-duration",
        default: "30s",
      },
      required: texts("Claims that must be there", { default: ["exp"] }),
    }, ["algorithms"]),
    hmac: group("A signature of the body, as webhooks carry it", {
      secret: { ...SECRET, description: "Shared secret" },
      header: { description: "Header with the signature", type: "string", default: "x-signature" },
      algorithm: {
        description: "Digest of the signature",
        enum: ["sha1", "sha256", "sha512"],
        default: "sha256",
      },
      encoding: { description: "How it is written", enum: ["hex", "base64"], default: "hex" },
      prefix: {
        description: "What stands before it, such as sha256=",
        type: "string",
        default: "",
      },
      timestamp_header: {
        description: "Header with seconds since 1970; TIME.BODY is signed then instead of BODY",
        type: "string",
        minLength: 1,
      },
      tolerance: {
        description: "How far that time may be away",
        type: "string",
        format: "busbar-duration",
        default: "5m",
      },
    }, ["secret"]),
    basic: group("Name and password", {
      realm: { description: "What browsers show", type: "string", default: "busbar" },
      users: {
        description: "Passwords by name",
        type: "object",
        additionalProperties: SECRET,
        minProperties: 1,
      },
    }, ["users"]),
  }),
};

export const CORS: Component = {
  kind: "hook",
  name: "cors",
  description: "Lets web pages of other origins ask",
  config_schema: settings({
    origins: texts('Origins that may ask; "*" for all', { default: ["*"] }),
    methods: texts("Methods that they may use", { default: ["GET", "HEAD", "POST"] }),
    headers: texts('Headers that they may send; "*" for any', { default: ["*"] }),
    expose: texts("Headers of answers that they may see", { default: [] }),
    credentials: {
      description: "Whether cookies and credentials may be sent",
      type: "boolean",
      default: false,
    },
    max_age: {
      description: "Seconds for which a browser remembers that it may ask",
      type: "integer",
      minimum: 0,
      default: 600,
    },
  }),
};

export const RATE_LIMIT: Component = {
  kind: "hook",
  name: "rate-limit",
  description: "Refuses clients that ask too often",
  config_schema: settings({
    rate: {
      description: "Requests that each may make, such as 100/s or 600/m",
      type: ["string", "number"],
      format: "busbar-rate",
      exclusiveMinimum: 0,
      default: "100/s",
    },
    burst: {
      description: "Requests at once after a pause; those of one second by default",
      type: "integer",
      minimum: 1,
    },
    by: {
      description: "Who is counted: addresses, subjects of auth, values of a header, or all as one",
      enum: ["client", "subject", "header", "all"],
      default: "client",
    },
    header: { description: "The header for by: header", type: "string", minLength: 1 },
    max_keys: {
      description: "How many are remembered; those that asked longest ago are forgotten",
      type: "integer",
      minimum: 1,
      maximum: 10_000_000,
      default: 100_000,
    },
  }),
};
