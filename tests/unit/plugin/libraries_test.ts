import assert from "node:assert/strict";
import { join } from "node:path";
import { FileSource } from "../../../src/plugin/byte_source.ts";
import { dependenciesOf } from "../../../src/plugin/elf.ts";
import { glibcVersion, readHostFacts } from "../../../src/plugin/host_facts.ts";
import {
  LibraryResolver,
  type LibrarySearch,
  type ResolvedLibraries,
} from "../../../src/plugin/libraries.ts";
import { readLoaderCache, readLoaderConfig } from "../../../src/plugin/library_folders.ts";
import { run, withFolder } from "./fixtures.ts";

/** Builds `lib<name>.so` in `folder`, linked against the libraries in `args`. */
async function library(folder: string, name: string, ...args: string[]): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const source = join(folder, `${name}.c`);
  await Deno.writeTextFile(source, `int ${name}_value;`);
  const flags = [
    "-shared",
    "-fPIC",
    "-nostdlib",
    `-Wl,-soname,lib${name}.so`,
    "-Wl,--no-as-needed",
  ];
  await run(folder, "gcc", ...flags, "-o", `lib${name}.so`, source, `-L${folder}`, ...args);
  return join(folder, `lib${name}.so`);
}

async function resolve(
  path: string,
  options: LibrarySearch & { unit?: string; provided?: Set<string> } = {},
): Promise<ResolvedLibraries> {
  const resolver = new LibraryResolver({
    libraryPath: [],
    defaultFolders: [],
    cacheFile: "/nothing",
    configFile: "/nothing",
    ...options,
  });
  using source = await FileSource.open(path);
  return await resolver.resolve(path, await dependenciesOf(source), options);
}

Deno.test("resolve() finds a library beside the plugin through $ORIGIN, and what that one needs", async () => {
  await withFolder(async (folder) => {
    await library(join(folder, "deep"), "b");
    await library(folder, "a", "-Ldeep", "-lb", "-Wl,-rpath,${ORIGIN}/deep,--enable-new-dtags");
    const plugin = await library(folder, "p", "-la", "-Wl,-rpath,$ORIGIN,--enable-new-dtags");
    const { found, missing } = await resolve(plugin, { unit: folder });
    assert.deepEqual(missing, []);
    assert.deepEqual(found.map(({ path }) => path), [
      join(folder, "liba.so"),
      join(folder, "deep/libb.so"),
    ]);
  });
});

Deno.test("resolve() says which library misses which", async () => {
  await withFolder(async (folder) => {
    await library(join(folder, "deep"), "b");
    await library(folder, "a", "-Ldeep", "-lb");
    const plugin = await library(folder, "p", "-la", "-Wl,-rpath,$ORIGIN,--enable-new-dtags");
    const { missing } = await resolve(plugin, { unit: folder });
    assert.deepEqual(missing, [{
      name: "libb.so",
      neededBy: "liba.so",
      reason: "it is in no folder that the loader searches",
    }]);
    assert.deepEqual(
      (await resolve(plugin, { unit: folder, provided: new Set(["libb.so"]) })).missing,
      [],
    );
    assert.deepEqual(
      (await resolve(plugin, { unit: folder, libraryPath: [join(folder, "deep")] })).missing,
      [],
    );
  });
});

Deno.test("resolve() hands an RPATH down, and a RUNPATH not", async () => {
  await withFolder(async (folder) => {
    await library(join(folder, "deep"), "b");
    await library(folder, "a", "-Ldeep", "-lb");
    for (const [tags, count] of [["--disable-new-dtags", 0], ["--enable-new-dtags", 1]] as const) {
      const plugin = await library(folder, "p", "-la", `-Wl,-rpath,$ORIGIN:$ORIGIN/deep,${tags}`);
      assert.equal((await resolve(plugin, { unit: folder })).missing.length, count, tags);
    }
    await library(folder, "a", "-Ldeep", "-lb", "-Wl,-rpath,/nowhere,--enable-new-dtags");
    const plugin = await library(
      folder,
      "p",
      "-la",
      "-Wl,-rpath,$ORIGIN:$ORIGIN/deep,--disable-new-dtags",
    );
    assert.equal(
      (await resolve(plugin, { unit: folder })).missing.length,
      1,
      "a RUNPATH ends what is handed down",
    );
  });
});

Deno.test("resolve() tells how to link a library that lies beside the plugin unfound", async () => {
  await withFolder(async (folder) => {
    await library(folder, "a");
    const plugin = await library(folder, "p", "-la");
    const { missing } = await resolve(plugin, { unit: folder });
    assert.match(
      missing[0]?.reason ?? "",
      /liba\.so" lies beside it, .* link it with -Wl,-rpath,'\$ORIGIN'/,
    );
  });
});

Deno.test("resolve() refuses a library that stays behind when the plugin is stored", async () => {
  await withFolder(async (folder) => {
    await library(folder, "a");
    const plugin = await library(folder, "p", "-la", "-Wl,-rpath,$ORIGIN");
    assert.match(
      (await resolve(plugin)).missing[0]?.reason ?? "",
      /stays behind when the plugin is copied/,
    );
    const fixed = await library(folder, "q", "-la", `-Wl,-rpath,${folder}`);
    assert.deepEqual((await resolve(fixed)).missing, []);
  });
});

Deno.test("resolve() passes over libraries for another processor", async () => {
  await withFolder(async (folder) => {
    const a = await library(folder, "a");
    const plugin = await library(folder, "p", "-la", "-Wl,-rpath,$ORIGIN");
    const bytes = await Deno.readFile(a);
    new DataView(bytes.buffer).setUint16(18, Deno.build.arch === "x86_64" ? 183 : 62, true);
    await Deno.writeFile(a, bytes);
    assert.match(
      (await resolve(plugin, { unit: folder })).missing[0]?.reason ?? "",
      /liba\.so" is for /,
    );
  });
});

Deno.test("resolve() finds this machine's libraries through its cache, or its folders", async () => {
  await withFolder(async (folder) => {
    const plugin = await library(folder, "p", "-lm", "-lc");
    for (const search of [{}, { cacheFile: "/nothing" }]) {
      using source = await FileSource.open(plugin);
      const resolved = await new LibraryResolver(search).resolve(
        plugin,
        await dependenciesOf(source),
      );
      assert.deepEqual(resolved.missing, []);
      const names = resolved.found.map(({ name }) => name);
      assert.ok(names.includes("libm.so.6") && names.includes("libc.so.6"), String(names));
    }
  });
});

Deno.test("readLoaderConfig() follows includes, and ends when they go in circles", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "ld.so.conf");
    await Deno.mkdir(join(folder, "conf.d"));
    await Deno.writeTextFile(
      file,
      "# first\n/opt/a /opt/b:/opt/c # rest\ninclude conf.d/*.conf\nhwcap 1 x\n",
    );
    await Deno.writeTextFile(join(folder, "conf.d/x.conf"), "/opt/d\n");
    await Deno.writeTextFile(join(folder, "conf.d/ignored"), "/opt/e\n");
    assert.deepEqual(await readLoaderConfig(file), ["/opt/a", "/opt/b", "/opt/c", "/opt/d"]);
    await Deno.writeTextFile(file, `/opt/a\ninclude ${file}\n`);
    assert.deepEqual(new Set(await readLoaderConfig(file)), new Set(["/opt/a"]));
  });
});

Deno.test("readLoaderCache() takes a damaged index for none", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "cache");
    const bytes = new Uint8Array(60);
    bytes.set(new TextEncoder().encode("glibc-ld.so.cache1.1"));
    for (const [count, size] of [[1000, 60], [0, 30]] as const) {
      new DataView(bytes.buffer).setUint32(20, count, true);
      await Deno.writeFile(file, bytes.subarray(0, size));
      assert.equal(await readLoaderCache(file), undefined);
    }
    assert.equal(await readLoaderCache(folder), undefined);
    assert.equal(await readLoaderCache(join(folder, "none")), undefined);
  });
});

Deno.test("readHostFacts() reads this machine's glibc version without running anything", async () => {
  const resolver = new LibraryResolver();
  const host = await readHostFacts(resolver);
  const path = await resolver.installed("libc.so.6", Deno.build.arch);
  assert.ok(path);
  const libc = Deno.dlopen(path, {
    gnu_get_libc_version: { parameters: [], result: "pointer" },
  });
  try {
    const text = libc.symbols.gnu_get_libc_version();
    assert.ok(text);
    assert.equal(host.glibc, new Deno.UnsafePointerView(text).getCString());
  } finally {
    libc.close();
  }
  assert.equal(host.target, Deno.build.target);
  assert.match(host.abi.current, /^\d+\.\d+$/);
  assert.ok(host.abi.versions.every(({ hash }) => /^[0-9a-f]{64}$/.test(hash)));
  assert.equal(await glibcVersion("/etc/passwd"), undefined);
});
