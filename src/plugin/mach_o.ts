import type { BinaryFacts, BinaryImage } from "./binary.ts";
import type { ByteSource } from "./byte_source.ts";
import { hasGoBuildInfo, hasGoExport } from "./go_runtime.ts";
import { MachImage } from "./mach_o_image.ts";
import { readMachSymbols } from "./mach_o_symbols.ts";
import { MAX_NAME_BYTES, type Reader } from "./reader.ts";

const LC_LOAD_DYLIB = 0xc;
const LC_ID_DYLIB = 0xd;
const LC_CODE_SIGNATURE = 0x1d;
const LC_LAZY_LOAD_DYLIB = 0x20;
const LC_VERSION_MIN_MACOSX = 0x24;
const LC_BUILD_VERSION = 0x32;
const LC_LOAD_WEAK_DYLIB = 0x80000018;
const LC_RPATH = 0x8000001c;
const LC_REEXPORT_DYLIB = 0x8000001f;
const LC_LOAD_UPWARD_DYLIB = 0x80000023;
const ALLOW_STACK_EXECUTION = 0x20000;
const PLATFORMS: Record<number, [system: string, triple: string]> = {
  1: ["macOS", "darwin"],
  2: ["iOS", "ios"],
  3: ["tvOS", "tvos"],
  4: ["watchOS", "watchos"],
  6: ["Mac Catalyst", "ios-macabi"],
  7: ["iOS Simulator", "ios-sim"],
};

/** Opens the thin Mach-O library in `source`; throws a PluginError when it is none. */
export async function openMachO(source: ByteSource): Promise<BinaryImage> {
  const image = await MachImage.open(source);
  return {
    source,
    machine: image.machine,
    facts: () => readFacts(image),
    readAt: (address, length) => image.readAt(address, length),
    bytesFrom: (address) => image.bytesFrom(address),
  };
}

async function readFacts(image: MachImage): Promise<BinaryFacts> {
  const symbols = await readMachSymbols(image);
  const [system, triple, version] = platformOf(image);
  return {
    ...symbols,
    format: "Mach-O",
    machine: image.machine,
    target: `${image.machine}-apple-${triple}`,
    linkName: image.commandsOf(LC_ID_DYLIB).map(textOf)[0],
    needed: image.commandsOf(
      LC_LOAD_DYLIB,
      LC_LOAD_WEAK_DYLIB,
      LC_REEXPORT_DYLIB,
      LC_LOAD_UPWARD_DYLIB,
      LC_LAZY_LOAD_DYLIB,
    ).map(textOf),
    runpath: image.commandsOf(LC_RPATH).map(textOf),
    rpath: [],
    neededVersions: [],
    requiredGlibc: undefined,
    minimumSystem: version && `${system} ${version}`,
    runtime: await hasGo(image, symbols) ? "go" : undefined,
    executableStack: (image.flags & ALLOW_STACK_EXECUTION) !== 0,
    protections: image.segments.some(({ name }) => name === "__DATA_CONST") ? ["DATA_CONST"] : [],
    signed: image.commandsOf(LC_CODE_SIGNATURE).length > 0,
    slices: [],
  };
}

function platformOf(image: MachImage): [system: string, triple: string, version?: string] {
  const [build] = image.commandsOf(LC_BUILD_VERSION);
  if (build) {
    const number = build.u32(8);
    const [system, triple] = PLATFORMS[number] ?? [`platform ${number}`, `platform${number}`];
    return [system, triple, versionText(build.u32(12))];
  }
  const [minimum] = image.commandsOf(LC_VERSION_MIN_MACOSX);
  return minimum ? ["macOS", "darwin", versionText(minimum.u32(8))] : ["macOS", "darwin"];
}

/** "11.0" or "10.15.4" of a version packed as 16, 8 and 8 bits. */
function versionText(packed: number): string {
  const patch = packed & 255;
  return `${packed >>> 16}.${(packed >>> 8) & 255}${patch === 0 ? "" : `.${patch}`}`;
}

/** The text of a command whose first field tells where in it the text begins. */
function textOf(fields: Reader): string {
  return fields.text(fields.u32(8), MAX_NAME_BYTES);
}

async function hasGo(
  image: MachImage,
  { exported }: Pick<BinaryFacts, "exported">,
): Promise<boolean> {
  const data = image.segments.filter(({ executable }) => !executable)
    .map(({ offset, fileSize }) => ({ offset, size: fileSize }));
  return hasGoExport(exported) || image.sections.some(({ name }) => name === "__go_buildinfo") ||
    await hasGoBuildInfo(image.source, data);
}
