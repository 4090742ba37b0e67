import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../../src/store/errors.ts";
import { type HostState, parseHostState } from "../../../src/store/host_state.ts";
import { HostStore } from "../../../src/store/host_store.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);

function withFolder(action: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "busbar_store_" });
  try {
    action(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function withStore(action: (store: HostStore, folder: string) => void): void {
  withFolder((folder) => {
    using store = HostStore.open(folder);
    action(store, folder);
  });
}

function version(folder: string, digest: string, text = "1.0.0") {
  return { name: "probe", version: text, digest, folder: join(folder, "plugins/probe", digest) };
}

Deno.test("open() makes a database for its owner alone, and finds there again what it wrote", () =>
  withFolder((folder) => {
    {
      using store = HostStore.open(folder);
      store.setEnabled("probe", false);
      store.setSettings("probe", { level: 3 });
      store.setDesired(new Map([["web", "paused"]]));
    }
    assert.equal(Deno.statSync(join(folder, "busbar.db")).mode! & 0o777, 0o600);
    using store = HostStore.open(folder);
    assert.deepEqual(store.plugin("probe"), {
      name: "probe",
      enabled: false,
      settings: { level: 3 },
      current: undefined,
    });
    assert.deepEqual([...store.desiredStates()], [["web", "paused"]]);
    assert.deepEqual([...store.disabledPlugins()], ["probe"]);
  }));

Deno.test("a plugin is enabled and a pipeline is to run unless something else was said", () =>
  withStore((store) => {
    assert.equal(store.isEnabled("probe"), true);
    assert.equal(store.plugin("probe"), undefined);
    store.setEnabled("probe", false);
    store.setEnabled("probe", true);
    assert.equal(store.isEnabled("probe"), true);
    assert.equal(store.desiredStates().get("web"), undefined);
  }));

Deno.test("use() makes a version the present one, and the one before it the previous one", () =>
  withStore((store, folder) => {
    assert.equal(store.previous("probe"), undefined);
    store.use(version(folder, A, "1.0.0"));
    assert.equal(store.previous("probe"), undefined);
    store.use(version(folder, B, "1.1.0"));
    assert.deepEqual(store.current("probe"), version(folder, B, "1.1.0"));
    assert.deepEqual(store.previous("probe"), version(folder, A, "1.0.0"));
    store.use(version(folder, A, "1.0.0"));
    assert.equal(store.current("probe")?.digest, A);
    assert.equal(store.previous("probe")?.digest, B, "a rollback can be taken back");
    assert.deepEqual(store.versions("probe").map(({ digest }) => digest), [A, B]);
  }));

Deno.test("keepVersions() forgets those that were in use longest ago, of that plugin only", () =>
  withStore((store, folder) => {
    const digests = ["1", "2", "3", "4"].map((digit) => digit.repeat(64));
    for (const digest of digests) store.use(version(folder, digest));
    store.use({ ...version(folder, A), name: "other" });
    store.use(version(folder, digests[0]!));
    const kept = store.keepVersions("probe", 3).map(({ digest }) => digest);
    assert.deepEqual(kept, [digests[0], digests[3], digests[2]]);
    assert.deepEqual(store.versions("probe").map(({ digest }) => digest), kept);
    assert.equal(store.versions("other").length, 1);
    assert.equal(store.previous("probe")?.digest, digests[3]);
  }));

Deno.test("a rollback is remembered until another version is used", () =>
  withStore((store, folder) => {
    store.use(version(folder, A));
    store.use(version(folder, B));
    assert.equal(store.rolledBackFrom("probe"), undefined);
    store.use(version(folder, A));
    store.noteRollback("probe", B);
    assert.equal(store.rolledBackFrom("probe"), B);
    store.use(version(folder, B));
    assert.equal(store.rolledBackFrom("probe"), undefined);
  }));

Deno.test("the audit log gives the newest first, page by page, with values as they were", () =>
  withStore((store) => {
    for (let i = 0; i < 5; i++) {
      const record = { who: "http", action: "pipeline.stop", target: `p${i}`, result: "ok" };
      store.audit({ ...record, before: { status: "running" }, after: undefined });
    }
    const [first, second, ...more] = store.auditLog({ limit: 2, offset: 1 });
    assert.deepEqual([first?.target, second?.target, more.length], ["p3", "p2", 0]);
    assert.deepEqual([first?.before, first?.after], [{ status: "running" }, null]);
    assert.ok(Date.parse(first!.at) <= Date.now());
  }));

Deno.test("export() and import() carry everything to another data folder", () =>
  withStore((store, folder) => {
    store.use(version(folder, A));
    store.use(version(folder, B));
    store.setEnabled("other", false);
    store.setSettings("other", { token: "x" });
    store.setDesired(new Map([["web", "stopped"]]));
    const record = { who: "http", action: "plugin.disable", target: "other", result: "ok" };
    store.audit({ ...record, before: null, after: 1 });
    const state = parseHostState(JSON.stringify(store.export()));
    withStore((other, elsewhere) => {
      other.setDesired(new Map([["gone", "paused"]]));
      other.import(state);
      assert.deepEqual({ ...other.export(), exportedAt: "" }, { ...state, exportedAt: "" });
      assert.deepEqual(other.current("probe"), version(elsewhere, B));
    });
  }));

function stateWith(change: Partial<HostState>): string {
  return JSON.stringify({
    format: 1,
    exportedAt: new Date().toISOString(),
    plugins: [],
    versions: [],
    desired: [],
    audit: [],
    ...change,
  });
}

for (
  const [what, text, message] of [
    ["no JSON", "{", /no JSON/],
    ["of a later format", stateWith({ format: 2 as 1 }), /format/],
    ["with an unknown field", stateWith({ more: 1 } as Partial<HostState>), /more/],
    [
      "with a state that does not exist",
      stateWith({ desired: [{ pipeline: "a", state: "dead" as "paused" }] }),
      /desired\.0\.state/,
    ],
    [
      "that names a pipeline twice",
      stateWith({
        desired: [{ pipeline: "a", state: "paused" }, { pipeline: "a", state: "running" }],
      }),
      /"a" is there twice/,
    ],
    [
      "with a plugin whose version is missing",
      stateWith({
        plugins: [{ name: "p", enabled: true, settings: {}, digest: A, rolledBackFrom: null }],
      }),
      /not among the versions/,
    ],
    [
      "with a folder outside of the data folder",
      stateWith({
        versions: [{
          name: "p",
          digest: A,
          version: "1",
          folder: "plugins/../../etc",
          firstSeen: new Date().toISOString(),
          turn: 1,
        }],
      }),
      /within the data folder/,
    ],
  ] as const
) {
  Deno.test(`parseHostState() refuses a state ${what}`, () => {
    assert.throws(() => parseHostState(text), message);
  });
}

Deno.test("import() that fails changes nothing", () =>
  withStore((store) => {
    store.setDesired(new Map([["web", "paused"]]));
    const state = parseHostState(stateWith({ desired: [{ pipeline: "a", state: "stopped" }] }));
    state.desired.push({ pipeline: "a", state: "stopped" });
    assert.throws(() => store.import(state));
    assert.deepEqual([...store.desiredStates()], [["web", "paused"]]);
  }));

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    assert.match(error.message, /^Cannot .*busbar\.db/);
    return error.code;
  }
  return "none";
}

Deno.test("a store of a later busbar, a foreign file and a damaged one are refused and left as they are", () => {
  withFolder((folder) => {
    HostStore.open(folder).close();
    const path = HostStore.pathIn(folder);
    {
      using db = new DatabaseSync(path);
      db.exec("PRAGMA user_version = 99");
    }
    assert.equal(codeOf(() => HostStore.open(folder)), "Newer");
  });
  withFolder((folder) => {
    {
      using db = new DatabaseSync(HostStore.pathIn(folder));
      db.exec("CREATE TABLE mine (x)");
    }
    assert.equal(codeOf(() => HostStore.open(folder)), "Corrupt");
  });
  withFolder((folder) => {
    const path = HostStore.pathIn(folder);
    const text = "this is no database, but somebody's notes ".repeat(100);
    Deno.writeTextFileSync(path, text);
    assert.equal(codeOf(() => HostStore.open(folder)), "Corrupt");
    assert.equal(Deno.readTextFileSync(path), text);
  });
});

Deno.test("a store that another process has locked is busy, and a full one is full: each says so, and nothing is lost", () => {
  withFolder((folder) => {
    using store = HostStore.open(folder, { busyTimeout: 1 });
    store.setDesired(new Map([["web", "paused"]]));
    using other = new DatabaseSync(store.path);
    other.exec("BEGIN IMMEDIATE");
    assert.equal(codeOf(() => store.setDesired(new Map([["web", "stopped"]]))), "Busy");
    other.exec("ROLLBACK");
    assert.equal(store.desiredStates().get("web"), "paused");
  });
  withFolder((folder) => {
    using store = HostStore.open(folder, { maxPages: 12 });
    store.setDesired(new Map([["web", "paused"]]));
    const fill = () => {
      for (let i = 0; i < 100; i++) store.setSettings(`p${i}`, { text: "x".repeat(16_384) });
    };
    assert.equal(codeOf(fill), "Full");
    assert.equal(store.desiredStates().get("web"), "paused");
    assert.deepEqual(store.integrity(), []);
  });
});
