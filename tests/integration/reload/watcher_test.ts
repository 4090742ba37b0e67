import assert from "node:assert/strict";
import { join } from "node:path";
import { buildPlugin } from "../../../scripts/lib/build_plugins.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";
import { type Busbar, waitFor, withBusbar } from "../../support/busbar.ts";
import {
  assertNothingLost,
  counting,
  edition,
  install,
  pluginFolder,
  readLines,
  tallying,
} from "./tally.ts";

interface Bench {
  busbar: Busbar;
  plugins: string;
  folder: string;
  file: string;
  editions: string[];
}

/** Runs edition 1 while the folder is watched, and has built a few more. */
async function withWatch(
  watch: Record<string, unknown>,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "busbar_watch_" });
  try {
    const editions: string[] = [];
    for (const number of [1, 2, 3]) editions.push(await edition(folder, number));
    const plugins = await pluginFolder(editions[0]!, folder);
    const file = join(folder, "web.log");
    const config = {
      log: { level: "info", format: "json" },
      plugins: { directories: [plugins], watch: { interval: "1h", debounce: "100ms", ...watch } },
      pipelines: { web: tallying(file, { wake: true, interval_ms: 2 }) },
    };
    await withBusbar({ config }, async (busbar) => {
      await counting(busbar, file, 1);
      await test({ busbar, plugins, folder, file, editions });
      await busbar.stop();
      assertNothingLost(readLines(file));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const LIBRARY = "libbusbar_processor_tally.so";

function named(busbar: Busbar, name: string) {
  return async () => {
    const plugins: { name: string; version: string; verdict: { ok: boolean } }[] = await busbar.get(
      "/api/v1/plugins",
    );
    return plugins.find((plugin) => plugin.name === name);
  };
}

Deno.test("a plugin's folder that is replaced is taken, and so are files renamed over or written in place", async () => {
  await withWatch({}, async ({ busbar, plugins, file, editions }) => {
    await install(editions[1]!, plugins);
    await counting(busbar, file, 2);
    for (const name of ["manifest.json", LIBRARY]) {
      const aside = join(plugins, "tally", `.${name}`);
      await Deno.copyFile(join(editions[2]!, name), aside);
      await Deno.rename(aside, join(plugins, "tally", name));
    }
    await counting(busbar, file, 3);
    for (const name of ["manifest.json", LIBRARY]) {
      const bytes = await Deno.readFile(join(editions[0]!, name));
      await Deno.writeFile(join(plugins, "tally", name), bytes);
    }
    await counting(busbar, file, 1);
  });
});

Deno.test("a copy that is under way is waited for", async () => {
  await withWatch({}, async ({ busbar, plugins, file, editions }) => {
    const target = join(plugins, "tally");
    await Deno.copyFile(join(editions[1]!, "manifest.json"), join(target, "manifest.json"));
    const bytes = await Deno.readFile(join(editions[1]!, LIBRARY));
    const size = Math.ceil(bytes.length / 8);
    const library = await Deno.open(join(target, LIBRARY), { write: true, truncate: true });
    for (let at = 0; at < bytes.length; at += size) {
      await library.write(bytes.subarray(at, at + size));
      // Longer than the quiet time now and then, as a slow network would.
      await new Promise((wake) => setTimeout(wake, at === 0 ? 150 : 20));
    }
    library.close();
    await counting(busbar, file, 2);
    assert.deepEqual(busbar.logs.filter(({ level }) => level !== "INFO"), []);
  });
});

Deno.test("what stays broken is reported once, and the old version runs on", async () => {
  await withWatch({ debounce: "20ms" }, async ({ busbar, plugins, file, editions }) => {
    const { cell } = await busbar.pipeline("web", ({ status }) => status === "running");
    const bytes = await Deno.readFile(join(editions[1]!, LIBRARY));
    await Deno.writeFile(join(plugins, "tally", LIBRARY), bytes.subarray(0, bytes.length / 2));
    await busbar.log(({ level, message }) => level === "WARN" && message.includes(LIBRARY));
    const web = await busbar.pipeline("web", ({ status }) => status === "running");
    assert.equal(web.cell.pid, cell.pid);
    await install(editions[1]!, plugins);
    await counting(busbar, file, 2);
    const reports = busbar.logs.filter(({ level }) => level !== "INFO");
    assert.equal(reports.length, 1, JSON.stringify(reports));
  });
});

Deno.test("a plugin that goes runs on where it is used, which is said once", async () => {
  await withWatch({}, async ({ busbar, plugins, folder }) => {
    const { cell } = await busbar.pipeline("web", ({ status }) => status === "running");
    await Deno.rename(join(plugins, "probe"), join(folder, "probe"));
    await busbar.log(({ message }) =>
      /^Plugin "probe" cannot be found .*but is used/.test(message)
    );
    await Deno.rename(join(folder, "probe"), join(plugins, "probe"));
    assert.equal((await named(busbar, "probe")())?.verdict.ok, true);
    const web = await busbar.pipeline("web", ({ status }) => status === "running");
    assert.equal(web.cell.pid, cell.pid);
  });
});

Deno.test("a new plugin becomes known, and is forgotten when it goes", async () => {
  await withWatch({}, async ({ busbar, plugins, folder }) => {
    await buildPlugin({
      folder: join(PROJECT, "tests/fixtures/plugins/tally"),
      outDir: join(folder, "more"),
      overrides: { manifest: { name: "extra" } },
    });
    await Deno.rename(join(folder, "more/extra"), join(plugins, "extra"));
    await waitFor(named(busbar, "extra"), { what: "the new plugin", busbar });
    await Deno.remove(join(plugins, "extra"), { recursive: true });
    await waitFor(async () => await named(busbar, "extra")() === undefined, {
      what: "it to be forgotten",
      busbar,
    });
  });
});

Deno.test("where the system says nothing, the regular scan finds changes", async () => {
  await withWatch({ interval: "100ms", debounce: "50ms" }, async (bench) => {
    const { busbar, plugins, folder, file, editions } = bench;
    // A folder that is replaced as a whole takes its watch away with it.
    const fresh = join(folder, "fresh");
    await Deno.mkdir(fresh);
    await Deno.rename(join(plugins, "probe"), join(fresh, "probe"));
    await install(editions[1]!, fresh);
    await Deno.rename(plugins, join(folder, "gone"));
    await Deno.rename(fresh, plugins);
    await counting(busbar, file, 2);
    await install(editions[2]!, plugins);
    await counting(busbar, file, 3);
  });
});
