import { FileSource } from "../plugin/byte_source.ts";
import { ElfImage } from "../plugin/elf_image.ts";
import type { PluginErrorCode } from "../plugin/errors.ts";
import type { Inspection } from "../plugin/inspect.ts";
import type { ManifestComponent } from "../plugin/manifest.ts";
import type { Fixture } from "./fixtures.ts";
import type { Check, Verdict } from "./report.ts";

/** What a check that runs no code of the plugin looks at. */
export interface Subject {
  readonly inspection: Inspection;
  /** Undefined for checks of the whole file. */
  readonly component: ManifestComponent | undefined;
  readonly fixture: Fixture;
}

export interface Finding {
  readonly verdict: Verdict;
  readonly seen: string;
}

/** A check that runs no code of the plugin. */
export interface StaticCheck extends Check {
  run(subject: Subject): Finding | Promise<Finding>;
}

export const PASSED: Finding = { verdict: "passed", seen: "" };

export function failed(...seen: string[]): Finding {
  return { verdict: "failed", seen: seen.join("; ") };
}

export function notApplicable(seen: string): Finding {
  return { verdict: "not applicable", seen };
}

/** Failed when there is anything in `faults`. */
export function none(faults: readonly string[]): Finding {
  return faults.length === 0 ? PASSED : failed(...faults);
}

const ROOT_SYMBOLS = ["busbar_abi_hash", "busbar_manifest", "busbar_plugin"];
/** What linkers and sanitizers put into every library. */
const LINKER_SYMBOLS = /^(_init|_fini|_edata|_end|__bss_start|__(asan|odr_asan|ubsan|gcov).*)$/;
const DT_TEXTREL = 22;
const DT_BIND_NOW = 24;
const DT_FLAGS = 30;
const DT_FLAGS_1 = 0x6ffffffb;
const DF_TEXTREL = 4;
const DF_BIND_NOW = 8;
const DF_1_NOW = 1;
const PT_LOAD = 1;
const EXECUTABLE = 1;
const WRITABLE = 2;
const SHOWN_NAMES = 5;

/** Checks of the file as a whole, in the order in which they are reported. */
export const FILE_CHECKS: readonly StaticCheck[] = [
  {
    name: "symbols",
    proves:
      "The library exports busbar_abi_hash, busbar_manifest and busbar_plugin, each as what it should be.",
    severity: "error",
    kinds: undefined,
    run: ({ inspection }) =>
      none([
        ...problems(inspection, ["MissingSymbol", "ManifestNotFound"]),
        // What is said of the symbol itself; other mismatches are those of its value.
        ...problems(inspection, ["AbiMismatch"]).filter((reason) => reason.startsWith('"')),
      ]),
  },
  {
    name: "exports",
    proves:
      "Nothing but the three symbols is exported, so that no name of the plugin meets another's in the process.",
    severity: "warning",
    kinds: undefined,
    run: ({ inspection: { binary } }) => {
      const names = binary.exported.map(({ name }) => name)
        .filter((name) => !ROOT_SYMBOLS.includes(name) && !LINKER_SYMBOLS.test(name));
      if (names.length === 0) return PASSED;
      const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : "";
      const list = names.slice(0, SHOWN_NAMES).map((name) => `"${name}"`).join(", ");
      return failed(
        `It also exports ${list}${more}; compile with -fvisibility=hidden, or link with a version script`,
      );
    },
  },
  {
    name: "executable-stack",
    proves: "The library asks for no executable stack, which newer systems refuse to give.",
    severity: "error",
    kinds: undefined,
    run: ({ inspection: { binary } }) =>
      binary.executableStack
        ? failed("It asks for an executable stack; link it with -z noexecstack")
        : PASSED,
  },
  {
    name: "text-relocations",
    proves:
      "The loader need not write to the library's code, and no part of it is both writable and executable.",
    severity: "error",
    kinds: undefined,
    run: (subject) =>
      withElf(subject, (image) => {
        const writable = image.segments.filter(({ type, flags }) =>
          type === PT_LOAD && (flags & WRITABLE) !== 0 && (flags & EXECUTABLE) !== 0
        );
        const relocations = image.value(DT_TEXTREL) !== undefined ||
          ((image.value(DT_FLAGS) ?? 0) & DF_TEXTREL) !== 0;
        return none([
          ...(relocations ? ["It has relocations in its code; compile all of it with -fPIC"] : []),
          ...writable.map(({ address }) =>
            `The part at 0x${address.toString(16)} is writable and executable`
          ),
        ]);
      }),
  },
  {
    name: "bind-now",
    proves:
      "All symbols are bound when the library is loaded, so a missing one is found there and not in the middle of a call.",
    severity: "warning",
    kinds: undefined,
    run: (subject) =>
      withElf(subject, (image) => {
        const now = image.value(DT_BIND_NOW) !== undefined ||
          ((image.value(DT_FLAGS) ?? 0) & DF_BIND_NOW) !== 0 ||
          ((image.value(DT_FLAGS_1) ?? 0) & DF_1_NOW) !== 0;
        return now ? PASSED : failed("It binds its symbols lazily; link it with -z now");
      }),
  },
  {
    name: "libraries",
    proves: "Every library that it needs is found, in its own folder or on this system.",
    severity: "error",
    kinds: undefined,
    run: ({ inspection }) => {
      const other = foreign(inspection);
      return other ? notApplicable(other) : none(problems(inspection, ["MissingLibrary"]));
    },
  },
  {
    name: "manifest",
    proves:
      "The embedded manifest is JSON and has every field that a host needs, with values that it understands.",
    severity: "error",
    kinds: undefined,
    run: ({ inspection }) => {
      const faults = problems(inspection, ["InvalidManifest"]);
      if (faults.length > 0) return failed(...faults);
      return inspection.manifest ? PASSED : notApplicable("It has no manifest");
    },
  },
  {
    name: "manifest-copy",
    proves: "manifest.json beside the library is the embedded manifest, byte for byte.",
    severity: "error",
    kinds: undefined,
    run: ({ inspection }) =>
      inspection.folder === undefined
        ? notApplicable("The plugin is one file, without a folder of its own")
        : none(problems(inspection, ["ManifestDiffers"])),
  },
  {
    name: "manifest-words",
    proves:
      "The manifest tells people what the plugin and each component does, and under which licence it may be used.",
    severity: "warning",
    kinds: undefined,
    run: ({ inspection: { manifest } }) => {
      if (manifest === undefined) return notApplicable("It has no manifest that can be read");
      const missing = [
        ...(manifest.description?.trim() ? [] : ["description"]),
        ...(manifest.license?.trim() ? [] : ["license"]),
        ...manifest.components.flatMap(({ name, description }) =>
          description?.trim() ? [] : [`description of component "${name}"`]
        ),
      ];
      return none(missing.map((what) => `The manifest has no ${what}`));
    },
  },
  {
    name: "manifest-build",
    proves:
      "The manifest says how the plugin was built: SDK, time, and a hash for each library that it stands on.",
    severity: "warning",
    kinds: undefined,
    run: ({ inspection: { manifest } }) => {
      if (manifest === undefined) return notApplicable("It has no manifest that can be read");
      const { sdk_version, build_time, dependency_hashes } = manifest.build;
      const faults: string[] = [];
      if (sdk_version === undefined) faults.push('"build" has no "sdk_version"');
      if (build_time === undefined || Number.isNaN(Date.parse(build_time))) {
        faults.push('"build_time" of "build" is not a time such as "2026-01-31T12:00:00Z"');
      }
      for (const [name, hash] of Object.entries(dependency_hashes)) {
        if (!HASH.test(hash)) faults.push(`"dependency_hashes" has no hash for "${name}"`);
      }
      return none(faults);
    },
  },
  {
    name: "compatibility",
    proves: "This host accepts the plugin: its ABI hash, versions, target and C library fit.",
    severity: "error",
    kinds: undefined,
    run: ({ inspection }) => {
      const other = foreign(inspection);
      if (other) return notApplicable(other);
      if (inspection.manifest === undefined) {
        return notApplicable("It has no manifest that can be read");
      }
      const { abiHash, compatibility } = inspection;
      return none(
        compatibility.filter(({ ok, field }) =>
          !ok && (abiHash !== undefined || field !== "ABI hash")
        )
          .map(({ message }) => message),
      );
    },
  },
];

/** SHA-256 in hex, or as Go writes it. */
const HASH = /^([0-9a-f]{64}|h1:[A-Za-z0-9+/]{43}=|sha256-[A-Za-z0-9+/]{43}=)$/;

/** Why nothing of a library for another kind of machine can be run here; undefined when it is for this kind. */
export function foreign({ binary, compatibility }: Inspection): string | undefined {
  const differs = compatibility.some(({ ok, field }) => !ok && /format|machine/.test(field));
  const here = Deno.build.os === "linux" && binary.format === "ELF" &&
    binary.machine === Deno.build.arch;
  if (!differs && here) return undefined;
  return `The library is for ${binary.target}, and this machine is ${Deno.build.target}`;
}

function problems({ verdict }: Inspection, codes: readonly PluginErrorCode[]): string[] {
  return verdict.problems.filter(({ code }) => codes.includes(code)).map(({ reason }) => reason);
}

async function withElf(
  { inspection: { binary, library } }: Subject,
  judge: (image: ElfImage) => Finding,
): Promise<Finding> {
  if (binary.format !== "ELF") return notApplicable(`The library is a ${binary.format} file`);
  using source = await FileSource.open(library);
  return judge(await ElfImage.open(source));
}
