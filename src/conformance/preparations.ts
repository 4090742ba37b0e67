import { type Inspection, isGood } from "../plugin/inspect.ts";
import type { ManifestComponent } from "../plugin/manifest.ts";
import { makeConfigs } from "./configs.ts";
import { foreign } from "./file_checks.ts";
import { ConformanceError, type Fixture, NO_FIXTURE, readFixtures } from "./fixtures.ts";
import { type Prepared, wantsServer } from "./plan.ts";

/** Gets the components of a plugin ready to be run, each once. */
export class Preparations {
  readonly #plugin: Inspection;
  readonly #fixtures: Readonly<Record<string, Fixture>>;
  readonly #seed: number;
  readonly #made = new Map<ManifestComponent, Promise<Prepared | string>>();

  private constructor(plugin: Inspection, fixtures: Record<string, Fixture>, seed: number) {
    this.#plugin = plugin;
    this.#fixtures = fixtures;
    this.#seed = seed;
  }

  /** @throws {ConformanceError} when the fixtures cannot be read, or are those of another plugin */
  static async read(
    plugin: Inspection,
    { fixtures, seed }: { fixtures?: string; seed: number },
  ): Promise<Preparations> {
    const components = (await readFixtures(plugin.library, fixtures))?.components ?? {};
    const names = plugin.manifest?.components.map(({ name }) => name);
    const unknown = Object.keys(components).find((name) => names && !names.includes(name));
    if (unknown !== undefined) {
      throw new ConformanceError(
        `Cannot use the fixtures: they name component "${unknown}", and plugin "${plugin.name}" has ` +
          names!.map((name) => `"${name}"`).join(", "),
      );
    }
    return new Preparations(plugin, components, seed);
  }

  /** Whether a component wants the HTTP server. */
  get wantServer(): boolean {
    return Object.values(this.#fixtures).some(wantsServer);
  }

  /** What a component is run with, or why it cannot be run. */
  of(component: ManifestComponent): Promise<Prepared | string> {
    const made = this.#made.get(component) ?? this.#prepare(component);
    this.#made.set(component, made);
    return made;
  }

  async #prepare(component: ManifestComponent): Promise<Prepared | string> {
    const plugin = this.#plugin;
    const other = foreign(plugin);
    if (other !== undefined) return other;
    if (!isGood(plugin)) return "This host refuses the plugin, so nothing of it is run";
    const fixture = this.#fixtures[component.name] ?? NO_FIXTURE;
    const given = [...(fixture.config ? [fixture.config] : []), ...fixture.configs];
    try {
      const configs = await makeConfigs({ schema: component.config_schema, given }, this.#seed);
      if (configs.working === undefined) return `There are ${configs.origin}`;
      return { plugin, component, fixture, configs };
    } catch (error) {
      return `Its config_schema is not valid: ${(error as Error).message}`;
    }
  }
}
