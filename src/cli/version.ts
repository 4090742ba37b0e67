import abiVersions from "../../ffi/abi_versions.json" with { type: "json" };
import { buildInfo } from "../build_info.ts";
import { BUILTIN_MANIFEST } from "../component/builtin/manifest.ts";
import { ExitCode } from "./exit_codes.ts";
import { printFields, printJson } from "./output.ts";
import type { GlobalOptions } from "./program.ts";

/** `busbar version`: the program's own manifest. */
export function version({ json }: GlobalOptions): ExitCode {
  const info = buildInfo();
  const { current, versions } = abiVersions;
  const hash = versions.find(({ version }) => version === current)?.hash ?? "";
  const abi = info.abi ?? { version: current, hash };
  const builtins = BUILTIN_MANIFEST.components.map(({ kind, name }) => `${kind}/${name}`);
  if (json) {
    const { leftOut, ...rest } = info;
    printJson({ ...rest, abi, builtins: { included: builtins, leftOut } });
    return ExitCode.OK;
  }
  printFields([
    ["busbar", info.version],
    ["build", info.buildId],
    ["commit", info.gitCommit ?? undefined],
    ["built", info.buildTime ?? undefined],
    ["target", info.target],
    ["abi", `${abi.version}, hash ${abi.hash}`],
    ["deno", `${info.deno}, v8 ${info.v8}, typescript ${info.typescript}`],
    ["builtins", info.leftOut.length === 0 ? "all" : builtins.join(", ") || "none"],
    ["runtime", info.denortSha256 === null ? undefined : `denort, SHA-256 ${info.denortSha256}`],
  ]);
  if (info.dependencies.length > 0) console.log("\nDependencies");
  for (const { name, version, integrity } of info.dependencies) {
    console.log(`  ${name}@${version}  ${integrity}`);
  }
  return ExitCode.OK;
}
