import assert from "node:assert/strict";
import { PipelineStore } from "../../../src/store/pipeline_store.ts";
import { letter, program, withPath } from "./support.ts";

const ALL = { limit: 100_000, offset: 0 };

/** Kills the process once it has begun to write round `count` of its own; the last round that it said to be durable. */
async function killIn(child: Deno.ChildProcess, count: number): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split("begin\n").length > count) child.kill("SIGKILL");
  }
  await child.status;
  return Number(text.split("\n").findLast((line) => /^\d+$/.test(line)));
}

Deno.test("after kill -9 every committed round is there, and no half of one", async () => {
  await withPath(async (path) => {
    for (const count of [2, 3, 5, 9, 14, 33]) {
      const last = await killIn(program("committer.ts", path).spawn(), count);
      const store = PipelineStore.open(path);
      const { marks, states } = store.checkpoint();
      const round = marks[0]!.sequence;
      assert.ok(
        round === last || round === last + 1,
        `${round} rounds are there, ${last} were told`,
      );
      assert.deepEqual(marks.map(({ sequence }) => sequence), [round, round]);
      const texts = [...marks.map(({ position }) => position), ...states.map(({ data }) => data)];
      for (const text of texts) assert.equal(Number(new TextDecoder().decode(text)), round);
      const sequences = store.letters({}, ALL).map(({ sequence }) => sequence);
      assert.deepEqual(sequences, Array.from({ length: round }, (_, i) => i + 1));
      assert.deepEqual(store.integrity(), []);
      store.close();
    }
  });
});

Deno.test("two processes work on one store at once, and wait for each other", async () => {
  await withPath(async (path) => {
    const store = PipelineStore.open(path);
    const child = program("committer.ts", path, "60").spawn();
    const output = child.output();
    let ended = false;
    output.finally(() => ended = true);
    let dropped = 0;
    while (!ended) {
      store.requestReplay({});
      store.commit({ marks: [], states: [], deadLetters: [letter({ component: "host" })] });
      dropped += store.dropLetters({ component: "archive" });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.equal((await output).code, 0);
    dropped += store.dropLetters({ component: "archive" });
    assert.equal(dropped, 60);
    assert.equal(store.checkpoint().marks[0]!.sequence, 60);
    assert.deepEqual(store.integrity(), []);
    store.close();
  });
});
