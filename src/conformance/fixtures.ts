import { dirname, join } from "node:path";
import { z } from "zod";

/** Why checks cannot begin: files or options are wrong. Has a message for people. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

const bytes = z.union([z.string(), z.strictObject({ base64: z.base64() })]);
const json = z.record(z.string(), z.unknown());

const OPERATIONS = ["message", "insert", "update", "delete"] as const;
const CONTENT_TYPES = ["bytes", "text", "json"] as const;

const record = z.strictObject({
  payload: z.union([bytes, json, z.array(z.unknown())]).default(""),
  key: bytes.default(""),
  attributes: z.record(z.string(), z.string()).default({}),
  operation: z.enum(OPERATIONS).default("message"),
  content_type: z.union([z.enum(CONTENT_TYPES), z.int().min(0).max(255)]).optional(),
  timestamp: z.int().default(0),
  flags: z.int().min(0).default(0),
  repeat: z.int().min(1).max(100_000).default(1),
});

const request = z.strictObject({
  method: z.string().default("GET"),
  path: z.string().default("/"),
  query: z.string().default(""),
  headers: z.record(z.string(), z.string()).default({}),
  body: bytes.default(""),
});

const step = z.union([
  z.strictObject({ append: z.string().min(1), data: bytes }),
  z.strictObject({ udp: z.string(), data: bytes }),
  z.strictObject({ tcp: z.string(), data: bytes }),
]);

const fixture = z.strictObject({
  config: json.optional(),
  configs: z.array(json).default([]),
  files: z.record(z.string(), bytes).default({}),
  input: z.array(record).min(1).optional(),
  requests: z.array(request).min(1).optional(),
  feed: z.array(step).default([]),
  events: z.int().min(0).optional(),
  timeout: z.number().positive().max(600).optional(),
  memory_mb: z.int().min(0).optional(),
});

const fixtureFile = z.strictObject({
  $schema: z.string().optional(),
  components: z.record(z.string(), fixture),
});

/** What a component needs to be driven: settings that work, and something to read. docs/conformance.md describes the file. */
export type Fixture = z.output<typeof fixture>;
export type FixtureFile = z.output<typeof fixtureFile>;
/** Text, or bytes in base64. */
export type Bytes = z.output<typeof bytes>;

/** The name of the file that `plugin test` looks for. */
export const FIXTURE_FILE = "conformance.json";

/** A component without an entry in the file. */
export const NO_FIXTURE: Fixture = fixture.parse({});

/**
 * The fixtures for the plugin whose library is at `library`: of the file `named`, else of the nearest `conformance.json` in the
 * library's folder, or in the project that it was built in (`dist/NAME/` lies in it). Undefined where there is none.
 *
 * @throws {ConformanceError} when it is named and missing, or is not what it should be
 */
export async function readFixtures(
  library: string,
  named?: string,
): Promise<FixtureFile | undefined> {
  if (named !== undefined) return await readFile(named, true);
  const folder = dirname(library);
  const project = join(folder, "../..");
  for (const place of [folder, project]) {
    const found = await readFile(join(place, FIXTURE_FILE), false);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function readFile(file: string, needed: boolean): Promise<FixtureFile | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (!needed && error instanceof Deno.errors.NotFound) return undefined;
    throw unusable(file, (error as Error).message, error);
  }
  try {
    const result = fixtureFile.safeParse(JSON.parse(text));
    if (result.success) return result.data;
    throw unusable(file, z.prettifyError(result.error));
  } catch (error) {
    if (error instanceof SyntaxError) throw unusable(file, `not JSON: ${error.message}`, error);
    throw error;
  }
}

function unusable(file: string, reason: string, cause?: unknown): ConformanceError {
  return new ConformanceError(`Cannot read fixtures "${file}": ${reason}`, { cause });
}

/** A record as the driver takes it. */
export interface PlanRecord {
  payload: string;
  key: string;
  attributes: [string, string][];
  operation: number;
  content_type: number;
  timestamp: number;
  flags: number;
}

/** The records of a fixture, each as often as it says. */
export function planRecords(records: NonNullable<Fixture["input"]>): PlanRecord[] {
  return records.flatMap((record) => {
    const { payload, key, attributes, operation, content_type, timestamp, flags } = record;
    const given = typeof payload === "string" || isBytes(payload);
    const made: PlanRecord = {
      payload: given ? toBase64(payload) : toBase64(JSON.stringify(payload)),
      key: toBase64(key),
      attributes: Object.entries(attributes),
      operation: OPERATIONS.indexOf(operation),
      content_type: typeof content_type === "number"
        ? content_type
        : CONTENT_TYPES.indexOf(content_type ?? (given ? "text" : "json")),
      timestamp,
      flags,
    };
    return Array.from({ length: record.repeat }, () => made);
  });
}

/** A request as the driver takes it. */
export function planRequest(request: NonNullable<Fixture["requests"]>[number]): unknown {
  return {
    ...request,
    headers: Object.entries(request.headers),
    body: toBase64(request.body),
  };
}

/** A feed step as the driver takes it. */
export function planStep({ data, ...step }: Fixture["feed"][number]): unknown {
  const place = "append" in step ? { append: `\${dir}/${step.append}` } : step;
  return { ...place, base64: toBase64(data) };
}

function isBytes(value: unknown): value is { base64: string } {
  return typeof value === "object" && value !== null && "base64" in value &&
    Object.keys(value).length === 1;
}

/** The bytes of `value` in base64. */
export function toBase64(value: Bytes): string {
  return typeof value === "string" ? new TextEncoder().encode(value).toBase64() : value.base64;
}
