import assert from "node:assert/strict";
import { RecordLayout, Status } from "../../../ffi/layout.ts";
import type { BuiltinComponent } from "../../../src/component/builtin.ts";
import type { Batch } from "../../../src/event/batch.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { Harness, keep, list, map, put, type TestComponent, withPipeline } from "./harness.ts";

/** Reads as the iterator of busbar.h does: INVALID at the record that does not fit. */
const careful: BuiltinComponent = {
  write(batch) {
    const reader = new RecordReader().open(batch);
    while (reader.next());
    if (reader.malformed === "") return Status.OK;
    batch.done = reader.index + 1;
    return Status.INVALID;
  },
};

/** Makes the size of the last of two records reach beyond the batch. */
function spoil(batch: Batch): void {
  const second = batch.length / 2;
  batch.view.setUint32(second + RecordLayout.offset.size, 4096, true);
}

const spoiling: BuiltinComponent = {
  poll(batch) {
    put(batch, "1");
    put(batch, "2");
    spoil(batch);
    return Status.DONE;
  },
};

async function failureOf(components: Record<string, TestComponent>, strict = false) {
  let failure: Harness["failures"][number] | undefined;
  await withPipeline(components, { validate: strict ? "strict" : "normal" }, async (harness) => {
    await harness.until(() => harness.failures.length > 0);
    failure = harness.failures[0];
  });
  return failure!;
}

Deno.test("a malformed batch that a reaction notices is blamed on the source that wrote it", async () => {
  for (const second of [false, true]) {
    const failure = await failureOf({
      in: { kind: "source", make: spoiling },
      out: { kind: "reaction", make: careful, from: ["in"] },
      ...(second ? { other: { kind: "reaction", make: careful, from: ["in"] } } : {}),
    });
    assert.equal(failure.component, "in");
    assert.equal(failure.call, "poll");
    assert.equal(failure.code, "MalformedBatch");
    assert.match(
      failure.message,
      /^it wrote a malformed batch: record 1 at byte 48 says to be 4096/,
    );
  }
});

Deno.test("a malformed batch that a reaction notices is blamed on the processor that wrote it", async () => {
  const copy = map();
  const failure = await failureOf({
    in: { kind: "source", make: list(["1", "2"]) },
    bad: {
      kind: "processor",
      from: ["in"],
      make: {
        process(batch) {
          copy.process!(batch);
          spoil(batch.outputs[0]!);
          return Status.OK;
        },
      },
    },
    out: { kind: "reaction", make: careful, from: ["bad"] },
  });
  assert.equal(failure.component, "bad");
  assert.equal(failure.call, "process");
  assert.equal(failure.code, "MalformedBatch");
});

Deno.test("a malformed batch that a processor notices is blamed on the source", async () => {
  const failure = await failureOf({
    in: { kind: "source", make: spoiling },
    next: {
      kind: "processor",
      from: ["in"],
      make: {
        process: (batch) => {
          batch.done = 1;
          return Status.INVALID;
        },
      },
    },
    out: { kind: "reaction", make: keep(), from: ["next"] },
  });
  assert.equal(failure.component, "in");
});

Deno.test("validate strict: a malformed batch is found before anybody reads it", async () => {
  let read = false;
  const failure = await failureOf({
    in: { kind: "source", make: spoiling },
    out: {
      kind: "reaction",
      from: ["in"],
      make: {
        write() {
          read = true;
          return Status.OK;
        },
      },
    },
  }, true);
  assert.equal(failure.component, "in");
  assert.equal(failure.code, "MalformedBatch");
  assert.equal(read, false);
});

Deno.test("validate strict: a count that differs from the records is found, in a full batch too", async () => {
  for (const count of [1, 4]) {
    const failure = await failureOf({
      in: {
        kind: "source",
        make: {
          poll(batch) {
            put(batch, "1");
            put(batch, "2".padEnd(200, "."));
            batch.count = count;
            return Status.OK;
          },
        },
      },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    }, true);
    assert.equal(failure.component, "in");
    assert.match(failure.message, /it says to hold \d records, but 2 lie in it/);
  }
});

Deno.test("a length beyond the capacity ends the cell without a record being read", async () => {
  const failure = await failureOf({
    in: {
      kind: "source",
      make: {
        poll(batch) {
          put(batch, "1");
          batch.length = batch.capacity + 8;
          return Status.OK;
        },
      },
    },
    out: { kind: "reaction", make: careful, from: ["in"] },
  });
  assert.equal(failure.component, "in");
  assert.equal(failure.code, "MalformedBatch");
  assert.match(failure.message, /its length is 65544 bytes, but its capacity 65536/);
});

Deno.test("a status that a call may not return ends the cell and names the call", async (t) => {
  const source = () => ({ kind: "source" as const, make: list(["1"]) });
  const cases: [string, string, Record<string, TestComponent>][] = [
    ["poll", "MORE", {
      in: { kind: "source", make: { poll: () => Status.MORE } },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    }],
    ["poll", "status 77", {
      in: { kind: "source", make: { poll: () => 77 } },
      out: { kind: "reaction", make: keep(), from: ["in"] },
    }],
    ["process", "AGAIN", {
      in: source(),
      p: { kind: "processor", from: ["in"], make: { process: () => Status.AGAIN } },
      out: { kind: "reaction", make: keep(), from: ["p"] },
    }],
    ["write", "DONE", {
      in: source(),
      out: { kind: "reaction", make: { write: () => Status.DONE }, from: ["in"] },
    }],
    ["write", "MORE", {
      in: source(),
      out: {
        kind: "reaction",
        make: { write: () => Promise.resolve(Status.MORE) },
        from: ["in"],
      },
    }],
  ];
  for (const [call, status, components] of cases) {
    await t.step(`${call} ${status}`, async () => {
      const failure = await failureOf(components);
      assert.equal(failure.call, call);
      assert.equal(failure.code, "Fatal");
      assert.equal(failure.message, `it returned ${status}, which "${call}" may not return`);
    });
  }
});

Deno.test("FATAL, and what a TypeScript component throws, end the cell with its message", async () => {
  const thrown = await failureOf({
    in: { kind: "source", make: list(["1"]) },
    out: {
      kind: "reaction",
      from: ["in"],
      make: {
        write() {
          throw new Error("no paper");
        },
      },
    },
  });
  assert.deepEqual([thrown.component, thrown.code, thrown.message], ["out", "Fatal", "no paper"]);
  const fatal = await failureOf({
    in: { kind: "source", make: { poll: () => Status.FATAL } },
    out: { kind: "reaction", make: keep(), from: ["in"] },
  });
  assert.equal(fatal.message, "it returned FATAL without a message");
});

Deno.test("MORE without having written anything ends the cell instead of looping", async () => {
  const failure = await failureOf({
    in: { kind: "source", make: list(["1"]) },
    p: { kind: "processor", from: ["in"], make: { process: () => Status.MORE } },
    out: { kind: "reaction", make: keep(), from: ["p"] },
  });
  assert.equal(failure.component, "p");
  assert.match(failure.message, /MORE without having written anything/);
});

Deno.test("a `done` beyond the batch ends the cell, with the reaction to blame", async () => {
  for (const status of [Status.FAILED, Status.INVALID]) {
    const failure = await failureOf({
      in: { kind: "source", make: list(["1", "2"]) },
      out: {
        kind: "reaction",
        from: ["in"],
        make: {
          write(batch) {
            batch.done = 2;
            return status;
          },
        },
      },
    });
    assert.equal(failure.component, "out");
    assert.equal(failure.message, "it failed record 2 of a batch of 2");
  }
});
