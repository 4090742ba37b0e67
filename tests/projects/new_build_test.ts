import assert from "node:assert/strict";
import { join } from "node:path";
import { KINDS } from "../../src/project/scaffold.ts";
import { type Language, LANGUAGES } from "../../src/project/toolchain.ts";
import { PROJECT } from "../../scripts/lib/files.ts";
import { runBusbar } from "../support/busbar.ts";
import { withFolder } from "../support/c_program.ts";

/** Where no registry can be reached: everything must come with the project. */
function offline(folder: string): Record<string, string> {
  return {
    PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
    NO_COLOR: "1",
    GOPROXY: "off",
    GOFLAGS: "",
    GOMODCACHE: join(folder, ".gomodcache"),
    CARGO_HOME: join(folder, ".cargohome"),
    CARGO_NET_OFFLINE: "true",
    RUSTUP_HOME: Deno.env.get("RUSTUP_HOME") ?? join(Deno.env.get("HOME") ?? "/", ".rustup"),
  };
}

/** A folder where "busbar" is the binary under test. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await Deno.mkdir(join(folder, "bin"));
    await Deno.symlink(join(PROJECT, "dist/busbar"), join(folder, "bin/busbar"));
    // Go's module cache is read-only, which withFolder() could not remove.
    await body(folder).finally(() => shell("chmod -R u+w .", { cwd: folder }));
  });
}

async function shell(
  script: string,
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<{ success: boolean; text: string }> {
  const args = ["-euc", script];
  const { success, stdout, stderr } = await new Deno.Command("sh", { args, cwd, env }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { success, text };
}

/** The commands that "plugin new" prints, as they stand. */
function commandsOf(printed: string): string {
  return printed.split("\n").filter((line) => line.startsWith("  ")).join("\n");
}

for (const language of LANGUAGES) {
  Deno.test(`plugin new: what it prints for every kind in ${language} builds, tests and runs it, offline`, () =>
    (language === "rust" ? inSharedFolder : inFolder)(async (folder) => {
      const queue = KINDS.values();
      const workers = Array.from({ length: navigator.hardwareConcurrency }, async () => {
        for (const kind of queue) await tryKind(folder, { language, kind });
      });
      const failed = (await Promise.allSettled(workers)).find(({ status }) =>
        status === "rejected"
      );
      if (failed) throw (failed as PromiseRejectedResult).reason;
    }));
}

/** As inFolder(), but always the same one, so that what cargo has compiled of the SDK is of use the next time. */
async function inSharedFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = join(PROJECT, "dist/scaffold");
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  try {
    await Deno.mkdir(join(folder, "bin"), { recursive: true });
    await Deno.symlink(join(PROJECT, "dist/busbar"), join(folder, "bin/busbar"));
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Makes a project of the kind and types what is printed. */
async function tryKind(
  folder: string,
  { language, kind }: { language: Language; kind: string },
): Promise<void> {
  const name = `a-${kind}`;
  const args = ["plugin", "new", "--lang", language, "--kind", kind, name];
  const made = await runBusbar(args, { cwd: folder });
  assert.equal(made.code, 0, made.stderr);
  if (language === "rust") await shareSdk(join(folder, name));
  const commands = commandsOf(made.stdout);
  assert.equal(commands.split("\n").length, 4, made.stdout);
  const env = { ...offline(folder), ...(language === "rust" ? shared() : {}) };
  const { success, text } = await shell(commands, { cwd: folder, env });
  assert.ok(success, `${kind}: ${text}`);
  if (kind === "processor") assert.match(text, /"payload":"HELLO WORLD"/);
  if (kind === "source") assert.match(text, /"payload":"hello 5"/);
  if (kind === "reaction") {
    const lines = await Deno.readTextFile(join(folder, name, "events.log"));
    assert.equal(lines, "hello world\n".repeat(5));
  }
  const files = Array.from(Deno.readDirSync(join(folder, name, "dist", name)));
  const library = `libbusbar_${kind}_a_${kind}.so`;
  assert.deepEqual(files.map((file) => file.name).sort(), [library, "manifest.json"]);
}

/** Where the tests of one kind after the other find what cargo has compiled already. */
function shared(): Record<string, string> {
  return { CARGO_TARGET_DIR: join(PROJECT, ".tools/cargo-target/scaffold") };
}

/** Has a Rust project use the repository's SDK, which is compiled once for all; the next test has the project as it is made. */
async function shareSdk(folder: string): Promise<void> {
  await Deno.remove(join(folder, "busbar"), { recursive: true });
  const file = join(folder, "Cargo.toml");
  const text = await Deno.readTextFile(file);
  const sdk = JSON.stringify(join(PROJECT, "ffi/rust"));
  await Deno.writeTextFile(file, text.replaceAll('"busbar/rust"', sdk));
}

for (const language of LANGUAGES) {
  Deno.test(`plugin build makes the same bytes in another folder, and shows where errors are, in ${language}`, () =>
    inFolder(async (folder) => {
      const env = offline(folder);
      const build = async (place: string, commands: string) => {
        await scaffoldAt(join(folder, place), language);
        const cwd = join(folder, place, "a");
        const { success, text } = await shell(commands, { cwd, env });
        assert.ok(success, text);
        return await Deno.readFile(join(cwd, "dist/a/libbusbar_source_a.so"));
      };
      const test = { c: "make test", cpp: "make test", rust: "cargo test", go: "go test ./..." };
      const first = await build("one/deep", `${test[language]}; busbar plugin build`);
      const again = await shell("busbar plugin build", { cwd: join(folder, "one/deep/a"), env });
      assert.ok(again.success, again.text);
      const library = join(folder, "one/deep/a/dist/a/libbusbar_source_a.so");
      assert.deepEqual(await Deno.readFile(library), first, "twice in one folder");
      assert.deepEqual(await build("two", "busbar plugin build"), first, "in another folder");
      await saysWhereTheErrorIs(join(folder, "two/a"), { file: SOURCES[language], env });
    }));
}

const SOURCES = { c: "a.c", cpp: "a.hpp", go: "greet.go", rust: "src/lib.rs" };

async function saysWhereTheErrorIs(
  cwd: string,
  { file, env }: { file: string; env: Record<string, string> },
): Promise<void> {
  const text = await Deno.readTextFile(join(cwd, file));
  await Deno.writeTextFile(join(cwd, file), `${text}\nnonsense nonsense;\n`);
  const { code, stderr } = await runBusbar(["plugin", "build"], { cwd, env });
  assert.equal(code, 1);
  assert.match(stderr, /Cannot build plugin "a": the compiler says:\n/);
  assert.ok(stderr.includes(`${file}:${text.split("\n").length + 1}:`), stderr);
}

async function scaffoldAt(cwd: string, language: Language): Promise<void> {
  await Deno.mkdir(cwd, { recursive: true });
  const args = ["plugin", "new", "--lang", language, "--kind", "source", "a"];
  const { code, stderr } = await runBusbar(args, { cwd });
  assert.equal(code, 0, stderr);
}

Deno.test("plugin pack makes the same archive twice, with the plugin's folder in it", () =>
  inFolder(async (folder) => {
    await scaffoldAt(folder, "c");
    const cwd = join(folder, "a");
    const first = await runBusbar(["plugin", "pack", "--json"], { cwd });
    assert.equal(first.code, 0, first.stderr);
    const { path, sha256, files } = JSON.parse(first.stdout);
    assert.match(path, /\/dist\/a-0\.1\.0-[a-z0-9_]+-.+\.tar\.gz$/);
    assert.deepEqual(files, ["a/libbusbar_source_a.so", "a/manifest.json"]);
    const again = await runBusbar(["plugin", "pack"], { cwd, env: { TZ: "Asia/Tokyo" } });
    assert.ok(again.stdout.startsWith(`${sha256}  dist/a-0.1.0-`), again.stdout);
    const unpacked = await shell(`tar xzf ${path} && busbar plugin inspect a`, {
      cwd: folder + "/bin",
      env: offline(folder),
    });
    assert.ok(unpacked.success, unpacked.text);
    assert.match(unpacked.text, /Verdict: accepted/);
  }));

Deno.test("plugin new refuses bad names, kinds and languages, and folders that hold something", () =>
  inFolder(async (cwd) => {
    const attempt = async (lang: string, kind: string, name: string) => {
      const args = ["plugin", "new", "--lang", lang, "--kind", kind, name];
      const { code, stderr } = await runBusbar(args, { cwd });
      return [code, stderr.trim()];
    };
    assert.deepEqual(await attempt("c", "source", "Bad_Name"), [
      1,
      'busbar: Cannot make a plugin named "Bad_Name": use lower-case letters and digits, a letter first, with single "-" ' +
      'between words, at most 64; for example "my-plugin"',
    ]);
    const [code, message] = await attempt("pascal", "source", "x");
    assert.equal(code, 2);
    assert.match(String(message), /--lang "pascal": use one of "c", "cpp", "rust", "go"/);
    assert.match(
      String((await attempt("c", "sink", "x"))[1]),
      /--kind "sink": use one of "source"/,
    );
    assert.match(String((await attempt("rust", "source", "std"))[1]), /named "std"/);
    await Deno.mkdir(join(cwd, "x"));
    await Deno.writeTextFile(join(cwd, "x/precious.txt"), "mine");
    assert.match(String((await attempt("c", "source", "x"))[1]), /holds something already/);
    const left = Array.from(Deno.readDirSync(cwd), ({ name }) => name).sort();
    assert.deepEqual(left, ["bin", "x"]);
    assert.deepEqual(Array.from(Deno.readDirSync(join(cwd, "x"))).length, 1);
  }));

Deno.test("plugin build says what is missing: a project, a compiler", () =>
  inFolder(async (folder) => {
    const none = await runBusbar(["plugin", "build"], { cwd: folder });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /Cannot find a plugin project in ".*"busbar plugin new"/);
    const env = { ...offline(folder), PATH: join(folder, "bin") };
    for (const language of LANGUAGES) {
      await scaffoldAt(join(folder, language), language);
      const cwd = join(folder, language, "a");
      const { code, stderr } = await runBusbar(["plugin", "build"], { cwd, env });
      assert.equal(code, 1);
      assert.match(stderr, /plugin "a": "(gcc|g\+\+|cargo|go)" is not installed; install /);
    }
  }));

Deno.test("plugin build names the line of plugin.json that is wrong, and removes what an earlier build left", () =>
  inFolder(async (folder) => {
    await scaffoldAt(folder, "c");
    const cwd = join(folder, "a");
    const file = join(cwd, "plugin.json");
    const text = await Deno.readTextFile(file);
    await Deno.mkdir(join(cwd, "dist/a"), { recursive: true });
    await Deno.writeTextFile(join(cwd, "dist/a/libbusbar_source_old.so"), "");
    assert.equal((await runBusbar(["plugin", "build"], { cwd })).code, 0);
    const files = Array.from(Deno.readDirSync(join(cwd, "dist/a")), ({ name }) => name).sort();
    assert.deepEqual(files, ["libbusbar_source_a.so", "manifest.json"]);
    await Deno.writeTextFile(file, text.replace('"0.1.0"', '"first"'));
    const { code, stderr } = await runBusbar(["plugin", "build"], { cwd });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Cannot use ".*plugin\.json": line 3, \$\.version: must be a semantic version/,
    );
  }));
