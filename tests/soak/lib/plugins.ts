import { join } from "node:path";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { PROJECT, run } from "../../../scripts/lib/files.ts";

const SOURCE = join(PROJECT, "tests/soak/plugins/soak");

/** A build of the soak plugin: good ones of two versions, and those that fail at one step. */
export type Variant = "old" | "new" | "create" | "restore" | "start";

/** Those that a reload has to refuse. */
export const FAILING = ["create", "restore", "start"] as const satisfies Variant[];

/** The builds of the soak plugin, and the plugin folder in which one of them lies. */
export class SoakPlugin {
  /** For `plugins.directories`. */
  readonly directory: string;
  readonly #builds: string;
  /** The good build that was installed last. */
  good: "old" | "new" = "old";

  private constructor(folder: string) {
    this.directory = join(folder, "plugins");
    this.#builds = join(folder, "builds");
  }

  /** Builds all variants below `folder`, and installs the old one. */
  static async build(folder: string): Promise<SoakPlugin> {
    const plugin = new SoakPlugin(folder);
    await Deno.mkdir(plugin.directory, { recursive: true });
    const variants: Variant[] = ["old", "new", ...FAILING];
    await Promise.all(variants.map((variant, index) => plugin.#buildVariant(variant, index)));
    await plugin.install("old");
    return plugin;
  }

  /** Puts a build in the place of the one that is there. */
  async install(variant: Variant): Promise<void> {
    const place = join(this.directory, "soak");
    const unused = join(this.#builds, crypto.randomUUID());
    await run(["cp", "-r", join(this.#builds, variant, "soak"), `${unused}.new`]);
    await Deno.rename(place, unused).catch(() => {});
    await Deno.rename(`${unused}.new`, place);
    await Deno.remove(unused, { recursive: true }).catch(() => {});
    if (variant === "old" || variant === "new") this.good = variant;
  }

  async #buildVariant(variant: Variant, index: number): Promise<void> {
    const build = JSON.parse(await Deno.readTextFile(join(SOURCE, "build.json")));
    const fails = FAILING.some((name) => name === variant);
    await buildPlugin({
      folder: SOURCE,
      outDir: join(this.#builds, variant),
      overrides: {
        manifest: { version: `1.0.${index}` },
        build: fails ? { cflags: [...build.cflags, `-DSOAK_FAIL_${variant.toUpperCase()}`] } : {},
      },
    });
  }
}
