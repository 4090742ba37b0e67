import assert from "node:assert/strict";
import { Status } from "../../../ffi/layout.ts";
import { CallDesk, type CallRequest, type CallTarget } from "../../../src/cell/call_desk.ts";
import type { AnswerMessage } from "../../../src/cell/protocol.ts";
import type { ResolvedPipeline } from "../../../src/config/resolved.ts";
import type { CellPipeline } from "../../../src/pipeline/spec.ts";
import { component, pipeline } from "./places.ts";

const KEY = "service:act/0/act";

function unit(service: { concurrency: number; queue: number }): CellPipeline[] {
  const member: ResolvedPipeline = {
    ...pipeline("service:act", [component("act", "service", "callee/act")]),
    service: { id: "act", timeoutMs: 1000, maxInput: 10, maxOutput: 10, ...service },
  };
  return [{
    pipeline: member,
    partitionIndex: 0,
    partitionCount: 1,
    dataDirectory: "/d",
    storePath: "/s",
  }];
}

/** Notes what it is sent. */
class Target implements CallTarget {
  readonly sent: { id: number; place: number; text: string }[] = [];

  placeOf(key: string): number | undefined {
    return key === KEY ? 7 : undefined;
  }

  send({ id, place }: { id: number; place: number }, bytes: Uint8Array): void {
    this.sent.push({ id, place, text: new TextDecoder().decode(bytes) });
  }

  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }
}

function request(text: string, timeoutMs = 60_000): CallRequest {
  return {
    call: "execute",
    timeoutMs,
    maxOutput: 20,
    method: "POST",
    path: "/",
    query: "",
    headers: [],
    body: new TextEncoder().encode(text),
  };
}

function answer(id: number, status: number = Status.OK): AnswerMessage {
  return {
    type: "answer",
    id,
    status,
    message: "",
    answerStatus: 0,
    answerHeaders: [],
    changes: {},
    newBody: false,
    bytes: new TextEncoder().encode(`answer ${id}`),
  };
}

function open(room = { concurrency: 2, queue: 2 }): { desk: CallDesk; target: Target } {
  const desk = new CallDesk();
  const target = new Target();
  desk.plan(unit(room));
  desk.note("service:act", "running");
  desk.open(target);
  return { desk, target };
}

const problem = (problem: string) => ({ name: "CallError", problem });

Deno.test("each place takes one call at a time, the others wait in order", async () => {
  const { desk, target } = open();
  const calls = ["a", "b", "c", "d"].map((text) => desk.call(KEY, request(text)));
  assert.deepEqual(target.sent.map(({ place, text }) => [place, text]), [[7, "a"], [8, "b"]]);
  await assert.rejects(desk.call(KEY, request("e")), problem("busy"));
  desk.answered(answer(target.sent[1]!.id));
  assert.deepEqual(target.sent.map(({ place, text }) => [place, text])[2], [8, "c"]);
  for (const i of [0, 2, 3]) desk.answered(answer(target.sent[i]!.id));
  const texts = (await Promise.all(calls)).map(({ answer }) =>
    new TextDecoder().decode(answer.body)
  );
  assert.deepEqual(texts, ["answer 1", "answer 2", "answer 3", "answer 4"]);
  assert.equal(desk.answered(answer(1)), false);
});

Deno.test("a crash fails the call at the culprit's place, the others are made again in order", async () => {
  const { desk, target } = open();
  const [a, b, c] = ["a", "b", "c"].map((text) => desk.call(KEY, request(text)));
  const failed = assert.rejects(a!, problem("crash"));
  desk.lost(target, { culprit: 7, message: "crashed" });
  await failed;
  const next = new Target();
  desk.open(next);
  assert.deepEqual(next.texts, ["b", "c"]);
  for (const { id } of next.sent) desk.answered(answer(id));
  await Promise.all([b, c]);
});

Deno.test("a call that outlives two processes for no known reason fails", async () => {
  const { desk, target } = open();
  const calls = ["a", "b"].map((text) => desk.call(KEY, request(text)));
  const failed = calls.map((call) => assert.rejects(call, problem("crash")));
  desk.lost(target, { culprit: undefined, message: "killed" });
  const next = new Target();
  desk.open(next);
  assert.deepEqual(next.texts, ["a", "b"]);
  desk.lost(next, { culprit: undefined, message: "killed" });
  await Promise.all(failed);
});

Deno.test("nobody waits longer than a call may take, but its place stays taken", async () => {
  const { desk, target } = open({ concurrency: 1, queue: 1 });
  const late = desk.call(KEY, request("a", 1));
  await assert.rejects(late, problem("timeout"));
  const next = desk.call(KEY, request("b"));
  assert.deepEqual(target.texts, ["a"]);
  desk.answered(answer(target.sent[0]!.id));
  assert.deepEqual(target.texts, ["a", "b"]);
  desk.answered(answer(target.sent[1]!.id));
  await next;
});

Deno.test("while a successor takes over, calls wait for it, and only what was sent is waited for", async () => {
  const { desk, target } = open();
  const first = desk.call(KEY, request("a"));
  const drained = desk.drain(60_000);
  desk.note("service:act", "reloading");
  const second = desk.call(KEY, request("b"));
  assert.deepEqual(target.texts, ["a"]);
  desk.answered(answer(target.sent[0]!.id));
  await drained;
  await first;
  const successor = new Target();
  desk.open(successor);
  assert.deepEqual(successor.texts, ["b"]);
  // What the old process leaves behind is not the successor's.
  desk.lost(target, { culprit: undefined, message: "" });
  desk.answered(answer(successor.sent[0]!.id));
  await second;
});

Deno.test("a service that does not run refuses, also those that waited", async () => {
  const { desk, target } = open({ concurrency: 1, queue: 5 });
  const running = desk.call(KEY, request("a"));
  const waiting = assert.rejects(desk.call(KEY, request("b")), problem("not_running"));
  desk.note("service:act", "stopping");
  await waiting;
  await assert.rejects(desk.call(KEY, request("c")), problem("not_running"));
  await assert.rejects(desk.call("service:other/0/other", request("d")), problem("not_running"));
  const ended = assert.rejects(running, problem("not_running"));
  desk.lost(target, { culprit: undefined, message: "" });
  await ended;
});
