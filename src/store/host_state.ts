import { z } from "zod";

/** Everything that a host stores about itself, as `busbar state export` writes it. */
const stateSchema = z.strictObject({
  /** Version of this format. */
  format: z.literal(1),
  exportedAt: z.iso.datetime(),
  plugins: z.array(z.strictObject({
    name: z.string().min(1),
    enabled: z.boolean(),
    settings: z.record(z.string(), z.unknown()),
    digest: z.string().nullable(),
    rolledBackFrom: z.string().nullable(),
  })),
  versions: z.array(z.strictObject({
    name: z.string().min(1),
    digest: z.string().regex(/^[0-9a-f]{64}$/),
    version: z.string(),
    /** Relative to the data folder. */
    folder: z.string().regex(/^(?!\/)(?!.*\.\.).+$/, "expected a path within the data folder"),
    firstSeen: z.iso.datetime(),
    /** Those used later have a higher one. */
    turn: z.int().min(0),
  })),
  desired: z.array(z.strictObject({
    pipeline: z.string().min(1),
    state: z.enum(["running", "stopped", "paused"]),
  })),
  audit: z.array(z.strictObject({
    id: z.int().min(1),
    at: z.iso.datetime(),
    who: z.string(),
    action: z.string(),
    target: z.string(),
    before: z.unknown(),
    after: z.unknown(),
    result: z.string(),
  })),
}).superRefine((state, context) => {
  const keys = [
    ["plugins", state.plugins.map(({ name }) => name)],
    ["versions", state.versions.map(({ name, digest }) => `${name} ${digest}`)],
    ["desired", state.desired.map(({ pipeline }) => pipeline)],
    ["audit", state.audit.map(({ id }) => `${id}`)],
  ] as const;
  for (const [table, values] of keys) {
    const twice = values.find((value, i) => values.indexOf(value) !== i);
    if (twice === undefined) continue;
    context.addIssue({ code: "custom", path: [table], message: `"${twice}" is there twice` });
  }
  const known = new Set(keys[1][1]);
  for (const { name, digest } of state.plugins) {
    if (digest === null || known.has(`${name} ${digest}`)) continue;
    const message = `plugin "${name}" uses version ${digest}, which is not among the versions`;
    context.addIssue({ code: "custom", path: ["plugins"], message });
  }
});

export type HostState = z.output<typeof stateSchema>;

/** Reads what was exported. @throws {Error} naming the first thing that is wrong with it */
export function parseHostState(text: string): HostState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`it is no JSON: ${(cause as Error).message}`, { cause });
  }
  const result = stateSchema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new Error(path.length === 0 ? message : `${path.join(".")}: ${message}`);
}
