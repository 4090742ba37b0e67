import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../../src/store/errors.ts";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";
import { setAside } from "../../../src/store/set_aside.ts";
import { breakPage, bytes, damage, letter, row, withPath } from "./support.ts";

const ALL = { limit: 1000, offset: 0 };
const NOTHING = { marks: [], states: [], deadLetters: [] };

/** A closed store with a bit of everything. */
function fill(path: string): void {
  const store = PipelineStore.open(path);
  store.commit({
    marks: [{ source: "access", sequence: 3, position: bytes("the position") }],
    states: [{ component: "count", version: 1, data: bytes("the state") }],
    deadLetters: [1, 2, 3].map((n) => letter({ payload: bytes(`letter ${n}`) })),
  });
  store.appendRows([row(4, 6), row(7, 9), row(10, 12)]);
  store.close();
}

Deno.test("damaged buffer rows are skipped, counted and removed", async () => {
  await withPath((path) => {
    fill(path);
    damage(path, "events 4 to 6");
    damage(path, "after 9");
    const store = PipelineStore.open(path);
    assert.deepEqual(store.integrity().map((text) => text.slice(0, 43)), [
      'Buffer of source "access", events 4 to 6: c',
      'Buffer of source "access", events 7 to 9: c',
    ]);
    assert.deepEqual(store.nextRow("access", 3), {
      row: row(10, 12),
      corrupt: 2,
      corruptEvents: 6,
    });
    assert.equal(store.nextRow("access", 3).corrupt, 0, "they are counted once");
    assert.equal(store.bufferUsage("access").rows, 1);
    assert.deepEqual(store.integrity(), []);
    store.close();
  });
});

/** A store with a row in the middle whose pages SQLite cannot make sense of. */
function fillBroken(path: string): void {
  fill(path);
  const data = new Uint8Array(100_000);
  data.set(bytes("in the middle"), 50_000);
  const store = PipelineStore.open(path);
  store.appendRows([row(13, 15, { data }), row(16, 18)]);
  store.close();
  breakPage(path, "in the middle");
}

Deno.test("buffer rows whose pages are damaged are skipped and counted once", async () => {
  await withPath((path) => {
    fillBroken(path);
    for (const corrupt of [1, 0]) {
      const store = PipelineStore.open(path);
      assert.deepEqual(store.nextRow("access", 12), {
        row: row(16, 18),
        corrupt,
        corruptEvents: 3 * corrupt,
      });
      assert.match(store.integrity().join(), /^Structure of the file: .*move it aside/);
      store.close();
    }
  });
});

Deno.test("buffer rows whose pages are damaged hold up neither checkpoints nor dropping", async () => {
  for (const drop of [false, true]) {
    await withPath((path) => {
      fillBroken(path);
      const store = PipelineStore.open(path);
      const mark = { source: "access", sequence: 16, position: bytes("p") };
      if (drop) assert.equal(store.dropOldestRows("access", Infinity, 0).events, 12);
      store.commit({ ...NOTHING, marks: [mark], buffered: [{ source: "access", upTo: 18 }] });
      assert.equal(store.checkpoint().marks[0]!.sequence, 16);
      assert.deepEqual(store.nextRow("access", 0), { row: null, corrupt: 0, corruptEvents: 0 });
      const again = row(13, 15, { data: new Uint8Array(100_000) });
      store.appendRows([again]);
      assert.deepEqual(store.lastRow("access").row, again, "its events may come again");
      store.close();
    });
  }
});

Deno.test("lastRow() goes back to the last sound row", async () => {
  await withPath((path) => {
    fill(path);
    damage(path, "after 12");
    const store = PipelineStore.open(path);
    assert.deepEqual(store.lastRow("access"), { row: row(7, 9), corrupt: 1, corruptEvents: 3 });
    store.appendRows([row(10, 12)]);
    store.close();
  });
});

Deno.test("a damaged position or state is an error that names it: nothing starts from a part of a checkpoint", async () => {
  for (const [text, what] of [["the position", "position of source"], ["the state", "state of"]]) {
    await withPath((path) => {
      fill(path);
      damage(path, text!);
      const store = PipelineStore.open(path);
      assert.throws(() => store.checkpoint(), {
        code: "Corrupt",
        message: new RegExp(
          `^Cannot read checkpoint from "${path}": ${what} .* is damaged: checksum`,
        ),
      });
      assert.equal(store.integrity().length, 1);
      store.close();
    });
  }
});

Deno.test("a damaged letter is not offered again, and does not hold up those behind it", async () => {
  await withPath((path) => {
    fill(path);
    damage(path, "letter 2");
    const store = PipelineStore.open(path);
    assert.match(store.integrity().join(), /^Dead letter 2: checksum differs/);
    store.requestReplay({});
    assert.deepEqual(store.replays(2).map(({ id }) => id), [1, 3]);
    const [second] = store.letters({ ids: [2] }, ALL);
    assert.match(second!.error, /bytes are damaged/);
    assert.equal(second!.replaying, false);
    store.close();
  });
});

Deno.test("a file that is no database is refused, kept, and can be set aside", async () => {
  await withPath((path) => {
    const text = "this is not a database ".repeat(1000);
    Deno.writeTextFileSync(path, text);
    assert.throws(() => PipelineStore.open(path), {
      name: "StoreError",
      code: "Corrupt",
      path,
      message: new RegExp(`^Cannot open pipeline store "${path}": file is not a database; `),
    });
    assert.equal(Deno.readTextFileSync(path), text);
    const aside = setAside(path, new Date("2026-01-02T03:04:05.678Z"));
    assert.equal(aside, `${path}.corrupt-20260102T030405Z`);
    assert.equal(Deno.readTextFileSync(aside), text);
    PipelineStore.open(path).close();
  });
});

Deno.test("setAside() takes the log along, so that a new store does not read it", async () => {
  await withPath((path) => {
    fill(path);
    const store = PipelineStore.open(path);
    store.commit({ ...NOTHING, deadLetters: [letter()] });
    const aside = setAside(path);
    const fresh = PipelineStore.open(path);
    assert.equal(fresh.letterCount(), 0);
    fresh.close();
    store.close();
    const old = PipelineStore.open(aside);
    assert.equal(old.letterCount(), 4);
    old.close();
  });
});

Deno.test("a file with any flipped byte or cut short gives a StoreError or what is sound in it, and stays", async () => {
  await withPath((path) => {
    fill(path);
    const whole = Deno.readFileSync(path);
    let state = 7;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor(state / 2 ** 31 * below);
    };
    const trials: [number, number][] = [
      ...Array.from({ length: 100 }, (_, i): [number, number] => [i, 255]),
      ...Array.from(
        { length: 150 },
        (): [number, number] => [random(whole.length), 1 << random(8)],
      ),
    ];
    let refused = 0;
    for (const [at, bits] of trials) {
      const content = whole.slice(0, random(10) === 0 ? at : whole.length);
      if (at < content.length) content[at]! ^= bits;
      Deno.writeFileSync(path, content);
      try {
        useEverything(path);
      } catch (error) {
        assert.ok(error instanceof StoreError, `byte ${at} ^ ${bits}: ${error}`);
        refused++;
      }
      assert.ok(Deno.statSync(path).size > 0 || content.length === 0);
      removeIfThere(`${path}-wal`);
      removeIfThere(`${path}-shm`);
    }
    assert.ok(refused > 50 && refused < trials.length, `${refused} of ${trials.length} refused`);
  });
});

function useEverything(path: string): void {
  const store = PipelineStore.open(path);
  try {
    store.integrity();
    store.nextRow("access", 0);
    store.lastRow("access");
    store.letters({}, ALL);
    store.requestReplay({});
    store.replays(10);
    store.trimLetters({ maxBytes: 300, maxAgeMs: 1000, now: Date.now() });
    store.commit({
      ...NOTHING,
      deadLetters: [letter()],
      buffered: [{ source: "access", upTo: 8 }],
    });
    store.checkpoint();
  } finally {
    store.close();
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

Deno.test("a full disk is an error, and what was there stays usable", async () => {
  await withPath((path) => {
    fill(path);
    const pages = Math.ceil(Deno.statSync(path).size / 16_384) + 4;
    const store = PipelineStore.open(path, { maxPages: pages });
    const full = {
      code: "Full",
      message:
        `Cannot write buffer rows to "${path}": database or disk is full; free space on its disk`,
    };
    const large = row(13, 13, { data: new Uint8Array(200_000) });
    assert.throws(() => store.appendRows([row(14, 14), large]), full);
    assert.throws(() =>
      store.commit({
        marks: [{ source: "access", sequence: 9, position: bytes("later") }],
        states: [{ component: "count", version: 1, data: new Uint8Array(200_000) }],
        deadLetters: [],
        buffered: [{ source: "access", upTo: 9 }],
      }), { code: "Full" });
    assert.equal(store.checkpoint().marks[0]!.sequence, 3);
    assert.deepEqual(store.nextRow("access", 3).row, row(4, 6));
    assert.equal(store.bufferUsage("access").rows, 3);
    store.commit({ ...NOTHING, buffered: [{ source: "access", upTo: 9 }] });
    store.appendRows([row(13, 15)]);
    assert.deepEqual(store.lastRow("access").row, row(13, 15));
    assert.deepEqual(store.integrity(), []);
    store.close();
  });
});

Deno.test("appendRows() stops before the disk is full, so that the buffer can drain", async () => {
  await withPath((path) => {
    fill(path);
    const store = PipelineStore.open(path, { reserve: 2 ** 60 });
    assert.throws(() => store.appendRows([row(13, 15)]), {
      code: "Full",
      message: /^Cannot write buffer rows to .*: only \d+ MiB are left on its disk; free space on/,
    });
    store.commit({ ...NOTHING, buffered: [{ source: "access", upTo: 12 }] });
    assert.equal(store.bufferBytes("access"), 0);
    store.close();
  });
});

Deno.test("a file that cannot be written, and a folder that is not there, are errors at opening", async () => {
  await withPath((path) => {
    fill(path);
    // A file of a later version of SQLite that may only be read: unlike permissions, it also binds root.
    const content = Deno.readFileSync(path);
    content[18] = 3;
    Deno.writeFileSync(path, content);
    assert.throws(() => PipelineStore.open(path), {
      code: "ReadOnly",
      message: /attempt to write a readonly database; make the file and its folder writable/,
    });
    assert.deepEqual(Deno.readFileSync(path), content);
    const code = (error: unknown) => error instanceof StoreError && error.code;
    assert.throws(() => PipelineStore.open("/sys/web.db"), (e) => code(e) === "ReadOnly");
    assert.throws(() => PipelineStore.open(`${path}.none/web.db`), (e) => code(e) === "Io");
  });
});

Deno.test("a store that another process has locked is an error that says so", async () => {
  await withPath((path) => {
    fill(path);
    const other = new DatabaseSync(path);
    const store = PipelineStore.open(path, { busyTimeout: 20 });
    other.exec("BEGIN IMMEDIATE");
    const busy = {
      code: "Busy",
      message: /: database is locked; end the other process that writes/,
    };
    assert.throws(() => store.commit({ ...NOTHING, deadLetters: [letter()] }), busy);
    assert.throws(() => PipelineStore.open(path, { busyTimeout: 20 }), busy);
    assert.equal(store.letterCount(), 3, "reading goes on");
    other.exec("ROLLBACK");
    store.commit({ ...NOTHING, deadLetters: [letter()] });
    assert.equal(store.letterCount(), 4);
    other.close();
    store.close();
  });
});
