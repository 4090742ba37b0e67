/**
 * Takes rounds of checkpoints and prints "begin" before each, and its number once it is durable: `committer.ts PATH [ROUNDS]`, for
 * ever without ROUNDS.
 * Everything in round n says n: two marks, a state, one more letter; a buffer row n replaces the one before.
 */
import { PipelineStore } from "../../../../src/store/pipeline_store.ts";
import { bytes, letter, row } from "../support.ts";

const store = PipelineStore.open(Deno.args[0]!);
const rounds = Number(Deno.args[1] ?? Infinity);
const mine = `buffered ${Deno.pid}`;
const start = store.checkpoint().marks.find(({ source }) => source === "a")?.sequence ?? 0;
for (let n = start + 1; n <= start + rounds; n++) {
  // Large enough for many pages, so that a round can be interrupted in the middle.
  const large = bytes(String(n).padEnd(50_000));
  store.appendRows([row(n, n, { source: mine, data: large })]);
  Deno.stdout.writeSync(bytes("begin\n"));
  store.commit({
    marks: ["a", "b"].map((source) => ({ source, sequence: n, position: large })),
    states: [{ component: "count", version: 1, data: large }],
    deadLetters: [letter({ sequence: n, payload: large })],
    buffered: [{ source: mine, upTo: n - 1 }],
  });
  Deno.stdout.writeSync(bytes(`${n}\n`));
}
store.close();
