import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Database } from "../../../src/store/database.ts";
import { StoreError } from "../../../src/store/errors.ts";
import type { Schema } from "../../../src/store/migrations.ts";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";
import { program, withPath } from "./support.ts";

const SCHEMA: Schema = {
  title: "test store",
  applicationId: 77,
  migrations: [
    ["CREATE TABLE things (name TEXT) STRICT", "INSERT INTO things VALUES ('first')"],
    ["ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 0"],
    ["UPDATE things SET size = size + 1", "CREATE INDEX things_size ON things (size)"],
  ],
};

function version(count: number): Schema {
  return { ...SCHEMA, migrations: SCHEMA.migrations.slice(0, count) };
}

Deno.test("open() brings a database of any version to the newest, once", async () => {
  for (const from of [0, 1, 2, 3]) {
    await withPath((path) => {
      Database.open(path, version(from)).close();
      for (let i = 0; i < 2; i++) {
        const database = Database.open(path, SCHEMA);
        assert.deepEqual({ ...database.get("SELECT * FROM things") }, { name: "first", size: 1n });
        assert.equal(database.pragma("user_version"), 3n);
        assert.equal(database.pragma("page_size"), 16_384n);
        assert.equal(database.pragma("journal_mode"), "wal");
        database.close();
      }
    });
  }
});

Deno.test("open() refuses a database of a newer busbar, and leaves it as it is", async () => {
  await withPath((path) => {
    Database.open(path, SCHEMA).close();
    const before = Deno.readFileSync(path);
    assert.throws(() => Database.open(path, version(2)), {
      name: "StoreError",
      code: "Newer",
      path,
      message:
        `Cannot open test store "${path}": its schema has version 3, this busbar knows 2; run the busbar that wrote it, or a newer one`,
    });
    assert.deepEqual(Deno.readFileSync(path), before);
  });
});

Deno.test("a migration that fails leaves the version before", async () => {
  await withPath((path) => {
    Database.open(path, version(1)).close();
    const broken = { ...SCHEMA, migrations: [...version(2).migrations, ["DROP TABLE nothing"]] };
    assert.throws(() => Database.open(path, broken), StoreError);
    const database = Database.open(path, version(1));
    assert.deepEqual({ ...database.get("SELECT * FROM things") }, { name: "first" });
    database.close();
  });
});

Deno.test("open() does not touch a database of another program, or one of our others", async () => {
  await withPath((path) => {
    const foreign = new DatabaseSync(path);
    foreign.exec("CREATE TABLE theirs (a)");
    foreign.close();
    const before = Deno.readFileSync(path);
    const expected = {
      code: "Corrupt",
      message: new RegExp(
        `^Cannot open pipeline store "${path}": it is not a pipeline store of busbar; .*move it aside`,
      ),
    };
    assert.throws(() => PipelineStore.open(path), expected);
    assert.deepEqual(Deno.readFileSync(path), before);
    Deno.removeSync(path);
    Database.open(path, SCHEMA).close();
    assert.throws(() => PipelineStore.open(path), expected);
  });
});

Deno.test("several processes may make the same store at once", async () => {
  await withPath(async (path) => {
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () => program("committer.ts", path, "5").output()),
    );
    assert.deepEqual(outputs.map(({ code }) => code), [0, 0, 0, 0]);
    const store = PipelineStore.open(path);
    assert.equal(store.letterCount(), 20);
    store.close();
  });
});
