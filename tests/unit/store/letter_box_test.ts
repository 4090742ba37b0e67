import assert from "node:assert/strict";
import { join } from "node:path";
import { LetterBox, pipelineDatabases, pipelinesIn } from "../../../src/store/letter_box.ts";
import { type DeadLetterInit, PipelineStore } from "../../../src/store/pipeline_store.ts";

function letter(component: string, sequence: number): DeadLetterInit {
  return {
    component,
    plugin: "probe",
    code: "Failed",
    error: "no",
    attempts: 1,
    source: "s",
    sequence,
    operation: 0,
    contentType: 0,
    timestamp: 0n,
    flags: 0,
    key: new Uint8Array(),
    payload: new Uint8Array([1]),
    attributes: new Uint8Array(),
  };
}

/** A data folder in which `web` has two partitions, and had none before. */
function withLetters(action: (folder: string, box: LetterBox) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "busbar_letters_" });
  try {
    const files = ["web/pipeline.db", "web/0/pipeline-0.db", "web/10/pipeline-10.db"];
    for (const [i, file] of files.entries()) {
      const path = join(folder, "pipelines", file);
      Deno.mkdirSync(join(path, ".."), { recursive: true });
      const store = PipelineStore.open(path);
      const deadLetters = Array.from(
        { length: 40 },
        (_, n) => letter(n < 20 ? "a" : "b", 100 * i + n),
      );
      store.commit({ marks: [], states: [], deadLetters });
      store.close();
    }
    Deno.mkdirSync(join(folder, "pipelines/empty/components"), { recursive: true });
    action(folder, new LetterBox(folder));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const facts = (one: { id: string; sequence: number }) => `${one.id} ${one.sequence}`;

Deno.test("list() pages through all partitions, whose letters have ids of their own", () =>
  withLetters((_, box) => {
    const all = box.list("web", {}, { limit: 1000, offset: 0, view: facts });
    assert.equal(all.total, 120);
    assert.deepEqual([all.letters[0], all.letters[40], all.letters[119]], [
      "1 0",
      "0-1 100",
      "10-40 239",
    ]);
    const paged = [0, 25, 50, 75, 100].flatMap((offset) =>
      box.list("web", {}, { limit: 25, offset, view: facts }).letters
    );
    assert.deepEqual(paged, all.letters);
    const some = box.list("web", { component: "b", after: 0 }, {
      limit: 2,
      offset: 19,
      view: facts,
    });
    assert.deepEqual([some.total, some.letters], [60, ["40 39", "0-21 120"]]);
    assert.deepEqual(box.list("empty", {}, { limit: 9, offset: 0, view: facts }), {
      total: 0,
      letters: [],
    });
  }));

Deno.test("replay() and drop() take ids of several partitions, a filter, or both", () =>
  withLetters((_, box) => {
    assert.equal(box.drop("web", { ids: ["1", "0-1", "10-40", "11-1"] }), 3);
    assert.equal(box.drop("web", { ids: ["1", "0-1"] }), 0);
    assert.equal(box.replay("web", { ids: ["0-2", "0-30"], component: "a" }), 1);
    const { letters } = box.list("web", {}, { limit: 1000, offset: 0, view: (one) => one });
    assert.deepEqual(letters.filter(({ replaying }) => replaying).map(({ id }) => id), ["0-2"]);
    assert.equal(box.drop("web", { component: "b" }), 59);
    assert.equal(box.drop("web", {}), 58);
  }));

Deno.test("pipelines and their databases are found in the data folder", () =>
  withLetters((folder) => {
    assert.deepEqual(pipelinesIn(folder), ["empty", "web"]);
    assert.equal(pipelineDatabases(folder).length, 3);
    assert.deepEqual(pipelinesIn(join(folder, "nothing")), []);
  }));
