import semver from "semver";
import { z } from "zod";
import { PluginError } from "./errors.ts";
import { jsonPath, lineOf } from "./json_lines.ts";

/** The largest manifest that is read, in bytes. */
export const MAX_MANIFEST_BYTES = 1024 * 1024;

/** The kinds of component that a plugin may hold. */
export const COMPONENT_KINDS = [
  "source",
  "processor",
  "reaction",
  "bootstrap",
  "service",
  "hook",
] as const;

const name = z.string().max(64).regex(
  /^[a-z][a-z0-9-]*$/,
  'must be lower-case letters, digits and "-", and begin with a letter',
);
const text = z.string().max(4096);
const word = z.string().min(1).max(256);

const version = z.string().refine(
  (value) => semver.valid(value) === value.replace(/\+.*$/s, ""),
  'must be a semantic version, for example "1.0.0"',
);

const component = z.object({
  kind: z.enum(COMPONENT_KINDS),
  name,
  description: text.optional(),
  /** A source that can go back to a position it gave earlier. */
  replayable: z.boolean().optional(),
  /** Calls may block, so they are made on the thread pool. */
  blocking: z.boolean().optional(),
  /** How many calls a service takes at once. */
  concurrency: z.int().min(1).max(1024).optional(),
  partitioned: z.boolean().optional(),
  /** A processor's named outputs, in the order of `batch->out[n]`. */
  outputs: z.array(name).min(1).max(64).optional(),
  /** How often `tick` of a processor or reaction is called, in milliseconds; without it only after a wake. */
  tick_ms: z.int().min(1).max(86_400_000).optional(),
  config_schema: z.record(z.string(), z.unknown()).optional(),
});

const build = z.object({
  language: word,
  toolchain_version: word,
  build_profile: word,
  build_flags: z.array(text).max(1024).default([]),
  dependency_hashes: z.record(z.string().max(256), z.string().max(256)).default({}),
  sdk_version: word.optional(),
  build_time: word.optional(),
});

/** Unknown keys are dropped, so that a manifest for a later host is still read by this one. */
export const manifestSchema = z.object({
  name,
  version,
  description: text.optional(),
  license: word.optional(),
  abi: z.string().max(32).regex(/^\d+\.\d+$/, 'must be "MAJOR.MINOR", for example "0.1"'),
  requires_minor: z.int().min(0).max(65535),
  target: z.string().max(128).regex(
    /^[a-z0-9_]+(-[a-z0-9_.]+){2,3}$/,
    'must be a target triple, for example "x86_64-unknown-linux-gnu"',
  ),
  components: z.array(component).min(1).max(256),
  build,
}).superRefine((manifest, context) => {
  const seen = new Set<string>();
  for (const [index, { name, kind, outputs }] of manifest.components.entries()) {
    const path = ["components", index];
    if (seen.has(name)) {
      context.addIssue({
        code: "custom",
        path: [...path, "name"],
        message: `"${name}" names two components; give each its own name`,
      });
    }
    seen.add(name);
    if (outputs === undefined) continue;
    if (kind !== "processor") {
      context.addIssue({
        code: "custom",
        path: [...path, "outputs"],
        message: `only a processor has outputs, and this is a ${kind}`,
      });
    }
    if (new Set(outputs).size !== outputs.length) {
      context.addIssue({
        code: "custom",
        path: [...path, "outputs"],
        message: "each output needs a name of its own",
      });
    }
  }
});

/** What a plugin says of itself: the JSON embedded as `busbar_manifest`. */
export type Manifest = z.infer<typeof manifestSchema>;
/** One entry of a manifest's `components`. */
export type ManifestComponent = Manifest["components"][number];
/** The kind of a component that a plugin may hold. */
export type ComponentKind = ManifestComponent["kind"];

/**
 * The manifest in `source`: JSON text, or its UTF-8 bytes without the terminating NUL. `file` is named in errors.
 * Throws a PluginError `InvalidManifest` that gives line and JSON path of each fault, up to five.
 */
export function parseManifest(source: string | Uint8Array, options: { file: string }): Manifest {
  const { file } = options;
  const json = typeof source === "string" ? source : decode(source, file);
  if (json.length > MAX_MANIFEST_BYTES) {
    throw invalid(file, `larger than ${MAX_MANIFEST_BYTES} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw invalid(file, `not JSON: ${(cause as Error).message}`, cause);
  }
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const faults = issues.slice(0, 5).map(({ path, message }) =>
    `line ${lineOf(json, path)}, ${jsonPath(path)}: ${message}`
  );
  if (issues.length > 5) faults.push(`and ${issues.length - 5} more`);
  throw invalid(file, faults.join("; "));
}

function decode(bytes: Uint8Array, file: string): string {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw invalid(file, `larger than ${MAX_MANIFEST_BYTES} bytes`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalid(file, "not UTF-8 text", cause);
  }
}

function invalid(file: string, reason: string, cause?: unknown): PluginError {
  return new PluginError("InvalidManifest", `Cannot read the manifest of "${file}": ${reason}`, {
    path: file,
    cause,
  });
}
