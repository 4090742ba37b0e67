import abiVersions from "../../../ffi/abi_versions.json" with { type: "json" };
import project from "../../../deno.json" with { type: "json" };
import type { Manifest, ManifestComponent } from "../../plugin/manifest.ts";
import * as entries from "./manifest/mod.ts";

/** In the order in which events meet them. */
const KINDS: ManifestComponent["kind"][] = ["source", "processor", "reaction", "hook"];

/** What the plugin inside the binary holds. docs/components/ is the guide to it. */
export const BUILTIN_MANIFEST: Manifest = {
  name: "builtin",
  version: project.version,
  description: "Components inside the busbar binary",
  license: project.license,
  abi: abiVersions.current,
  requires_minor: Number(abiVersions.current.split(".")[1]),
  target: Deno.build.target,
  components: Object.values<ManifestComponent>(entries).sort((a, b) =>
    KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)
  ),
  build: {
    language: "typescript",
    toolchain_version: `deno ${Deno.version.deno}, typescript ${Deno.version.typescript}`,
    build_profile: "release",
    build_flags: [],
    dependency_hashes: {},
  },
};
