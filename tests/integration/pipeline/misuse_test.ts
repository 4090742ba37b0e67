import assert from "node:assert/strict";
import { join } from "node:path";
import { collect, withFolder, withPipelines } from "./support.ts";

type Kind = "source" | "processor";

/** What a writer leaves behind that nobody can read. */
const UNREADABLE = [
  "record-past-arena",
  "record-zero",
  "record-small",
  "record-unaligned",
  "payload-past-record",
];
/** What is wrong with a batch as a whole: noticed before anybody gets it. */
const UNSOUND = ["length-over", "count-limit", "data-moved", "position-over"];
/** What only `validate: strict` looks for. */
const MISCOUNTED = ["count-high", "count-low"];
const MISNUMBERED = ["sequence-wrong", "source-wrong"];

/** Events that `faulty/source` gives with each poll. */
const BURST = 16;

/** Pipelines that the fault, which `kind` makes once, passes through to a reaction. */
function pipelinesOf(
  kind: Kind,
  faults: readonly string[],
  options: { folder: string; validate?: "strict"; reaction?: Record<string, unknown> },
): Record<string, unknown> {
  const { folder, validate = "normal", reaction = collect(["last"]) } = options;
  const call = kind === "source" ? "poll" : "process";
  return Object.fromEntries(faults.map((fault) => {
    const config = { fault, in: call, once_file: join(folder, `${kind} ${fault}`) };
    const faulty = { use: `faulty/${kind}`, config };
    // Whole bursts: a record too many among the few of the last one could not be there, which is found without a look.
    const source = { ...faulty, config: { ...config, count: 7 * BURST } };
    const pipeline = kind === "source" ? { sources: { last: source } } : {
      sources: { first: { use: "faulty/source" } },
      processors: { last: { ...faulty, from: ["first"] } },
    };
    const restart = { initial: "1ms", max: "1ms" };
    return [`${kind}-${fault}`, { ...pipeline, validate, restart, reactions: { reaction } }];
  }));
}

async function assertBlamed(pipelines: Record<string, unknown>): Promise<void> {
  await withPipelines(pipelines, async (busbar) => {
    for (const id of Object.keys(pipelines)) {
      const { lastExit, restarts } = await busbar.pipeline(
        id,
        ({ status, restarts, components }) =>
          status === "running" && restarts > 0 && components.at(-1).eventsIn >= 100,
      );
      assert.deepEqual(
        [restarts, lastExit.reason, lastExit.culprit, lastExit.component, lastExit.call],
        [1, "fatal", "faulty 1.0.0", "last", id.startsWith("source") ? "poll" : "process"],
        `${id}: ${lastExit.message}`,
      );
      assert.match(lastExit.message, /it wrote a malformed batch: |it numbered event/);
    }
  });
}

Deno.test("a malformed batch is blamed on who wrote it, not on who read it", () =>
  withFolder(async (folder) => {
    const faults = [...UNREADABLE, ...UNSOUND];
    await assertBlamed({
      ...pipelinesOf("source", faults, { folder }),
      ...pipelinesOf("processor", faults, { folder }),
    });
  }));

Deno.test("a malformed batch is blamed on who wrote it when a built-in reaction, or a processor behind, reads it", () =>
  withFolder(async (folder) => {
    const reaction = { use: "builtin/stats", from: ["last"] };
    const behind = Object.fromEntries(
      Object.entries(pipelinesOf("source", UNREADABLE, { folder })).map(([id, pipeline]) => [
        id,
        {
          ...pipeline as object,
          processors: { pass: { use: "probe/pass", from: ["last"] } },
          reactions: { reaction: collect(["pass"]) },
        },
      ]),
    );
    await assertBlamed({
      ...behind,
      ...pipelinesOf("processor", UNREADABLE, { folder, reaction }),
    });
  }));

Deno.test("validate: strict finds what no reader looks at, wrong counts and wrong numbers", () =>
  withFolder(async (folder) => {
    const faults = [...UNREADABLE, ...MISCOUNTED, ...MISNUMBERED];
    // It does not look at what it is given.
    const reaction = { use: "faulty/reaction", from: ["last"] };
    const normal = pipelinesOf("source", faults, { folder, reaction });
    await withPipelines(normal, async (busbar) => {
      for (const id of Object.keys(normal)) {
        const { restarts, lastExit } = await busbar.pipeline(
          id,
          ({ components }) => components.at(-1).eventsIn >= 90,
        );
        assert.equal(restarts, 0, `without it, ${id} is not found: ${lastExit?.message}`);
      }
    });
    const strict = { folder: join(folder, "strict"), reaction, validate: "strict" } as const;
    await Deno.mkdir(strict.folder);
    await assertBlamed({
      ...pipelinesOf("source", faults, strict),
      ...pipelinesOf("processor", [...UNREADABLE, ...MISCOUNTED], strict),
    });
  }));

/** What a call may not answer or do: the component, the call, the fault, and what is said of it. */
const FORBIDDEN: [kind: Kind | "reaction", call: string, fault: string, says: RegExp][] = [
  ["source", "poll", "fatal", /failed in poll of .*: Asked to answer fatal in poll/],
  ["source", "poll", "invalid", /it returned INVALID, which "poll" may not return/],
  ["source", "poll", "status-unknown", /it returned status 77, which "poll" may not return/],
  [
    "source",
    "poll",
    "error-overrun",
    /crashed, SIGSEGV, .* while source source.source was in poll/,
  ],
  ["source", "poll", "lend-unaligned", /its data does not begin at a multiple of 8 bytes/],
  ["processor", "process", "fatal", /Asked to answer fatal in process/],
  ["processor", "process", "again", /it returned AGAIN, which "process" may not return/],
  ["processor", "process", "more", /it returned MORE without having written anything/],
  ["processor", "process", "done-over", /it failed record \d+ of a batch of \d+/],
  ["processor", "process", "cursor-over", /it returned MORE/],
  ["processor", "tick", "fatal", /Asked to answer fatal in tick/],
  ["processor", "tick", "again", /it returned AGAIN, which "tick" may not return/],
  ["reaction", "write", "fatal", /Asked to answer fatal in write/],
  ["reaction", "write", "more", /it returned MORE, which "write" may not return/],
  ["reaction", "write", "done-over", /it failed record \d+ of a batch of \d+/],
  ["reaction", "write", "complete-twice", /it completed batch \d+, which is not pending/],
  ["reaction", "write", "complete-unknown", /it completed batch \d+, which is not pending/],
  ["reaction", "flush", "fatal", /failed in flush of .*: Asked to answer fatal in flush/],
];

Deno.test("FATAL, and an answer that a call may not give, replaces the cell and names the plugin", () =>
  withFolder(async (folder) => {
    const pipelines = Object.fromEntries(FORBIDDEN.map(([kind, call, fault], i) => {
      const config = { fault, in: call, once_file: join(folder, `${i}`) };
      const use = (name: string) => ({ use: `faulty/${name}`, ...(name === kind && { config }) });
      return [`${kind}-${call}-${fault}`, {
        sources: { source: use("source") },
        processors: { processor: { ...use("processor"), from: ["source"] } },
        reactions: { reaction: { ...use("reaction"), from: ["processor"] } },
        restart: { initial: "1ms" },
        checkpoint_interval: "10ms",
      }];
    }));
    await withPipelines(pipelines, async (busbar) => {
      for (const [kind, call, fault, says] of FORBIDDEN) {
        const { restarts, lastExit } = await busbar.pipeline(
          `${kind}-${call}-${fault}`,
          ({ status, restarts }) => status === "running" && restarts > 0,
        );
        assert.match(lastExit.message, says);
        assert.deepEqual(
          [restarts, lastExit.culprit, lastExit.component, lastExit.call],
          [1, "faulty 1.0.0", kind, call],
        );
      }
    });
  }));

Deno.test("an error message without an end is cut and logged", async () => {
  const fault = { fault: "error-unterminated", in: "write" };
  const pipelines = {
    web: {
      sources: { source: { use: "faulty/source" } },
      reactions: { reaction: { use: "faulty/reaction", from: ["source"], config: fault } },
      shutdown_timeout: "1s",
    },
  };
  await withPipelines(pipelines, async (busbar) => {
    const { fields } = await busbar.log(({ message }) => message.startsWith("Write failed"));
    assert.match((fields as { error: string }).error, /^x{1000,4096}$/);
  });
});
