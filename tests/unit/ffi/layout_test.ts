import assert from "node:assert/strict";
import {
  BatchFlag,
  ContentType,
  ERROR_CAPACITY,
  KIND_NUMBER,
  LAYOUTS,
  Operation,
  POSITION_MAX,
  RecordFlag,
  Status,
  statusName,
} from "../../../ffi/layout.ts";
import {
  CALL_NUMBER,
  callName,
  COMPLETIONS,
  CrashState,
  HEADER_SIZE,
  LIBRARY_MAX,
  LINE_DONE,
  LINE_STAGES,
  LOG_SLOTS,
  METRIC_BUCKETS,
  METRIC_MAX,
  RECORDER_LAYOUTS,
  RECORDER_MAGIC,
} from "../../../ffi/recorder_layout.ts";
import { LOG_LEVELS } from "../../../src/component/cell_log.ts";
import abiVersions from "../../../ffi/abi_versions.json" with { type: "json" };
import { evaluate, HEADERS, numbersOf, structsOf } from "./headers.ts";

const ALL_LAYOUTS = { ...LAYOUTS, ...RECORDER_LAYOUTS };
/** Not tables of their own: they are parts of others, and always a pointer and a length. */
const TEXTS = ["busbar_string_t", "busbar_bytes_t"];
/** Constants that the host has no use for. */
const SHIM_ONLY = ["BB_LINE_TURNS"];

async function sources(): Promise<string> {
  const texts = await Promise.all(Object.values(HEADERS).map((path) => Deno.readTextFile(path)));
  // What follows in busbar.h is convenience for plugins: compiled into them, unknown to the host.
  texts[0] = texts[0]!.slice(0, texts[0]!.indexOf("ABI FROZEN END"));
  return texts.join("\n");
}

Deno.test("every size and offset is the C compiler's", async () => {
  const expected: [expression: string, value: number][] = [];
  for (const [name, { size, align, offset }] of Object.entries(ALL_LAYOUTS)) {
    expected.push([`sizeof(${name})`, size], [`_Alignof(${name})`, align]);
    for (const [member, at] of Object.entries(offset)) {
      expected.push([`offsetof(${name}, ${member})`, at as number]);
    }
  }
  for (const name of TEXTS) {
    expected.push([`sizeof(${name})`, 16], [`offsetof(${name}, length)`, 8]);
  }
  const found = await evaluate(expected.map(([expression]) => expression));
  const differing = expected.flatMap(([expression, value], i) =>
    found[i] === value ? [] : [`${expression} is ${found[i]}, the table says ${value}`]
  );
  assert.deepEqual(differing, []);
  assert.ok(expected.length > 250);
});

Deno.test("the tables have every struct of the headers with every member, and nothing else", async () => {
  const declared = structsOf(await sources());
  for (const name of TEXTS) declared.delete(name);
  const tables = new Map(
    Object.entries(ALL_LAYOUTS).map(([name, { offset }]) => [name, Object.keys(offset)]),
  );
  assert.deepEqual([...tables.keys()].sort(), [...declared.keys()].sort());
  for (const [name, members] of declared) assert.deepEqual(tables.get(name), members, name);
});

Deno.test("every constant of the headers has the value that the host uses", async () => {
  const named = (prefix: string, values: Record<string, number>) =>
    Object.entries(values).map(([name, value]) => [prefix + name.toUpperCase(), value] as const);
  const [major, minor] = abiVersions.current.split(".").map(Number);
  const expected = new Map<string, number>([
    ...named("BUSBAR_", Status),
    ...named("BUSBAR_", KIND_NUMBER),
    ...named("BUSBAR_OP_", Operation),
    ...named("BUSBAR_CONTENT_", ContentType),
    ...named("BUSBAR_RECORD_", RecordFlag),
    ...named("BUSBAR_BATCH_", BatchFlag),
    ...named("BUSBAR_LOG_", LOG_LEVELS),
    ...named("BUSBAR_FIELD_", { STRING: 0, NUMBER: 1, BOOL: 2, JSON: 3 }),
    ...named("BUSBAR_", { ABI_MAJOR: major!, ABI_MINOR: minor!, POSITION_MAX, ERROR_CAPACITY }),
    ...named("BUSBAR_RECORD_", { ALIGN: 8, MAX: 0x7ffffff8 }),
    ...named("BB_", { MAGIC: RECORDER_MAGIC, HEADER_SIZE, LIBRARY_MAX, METRIC_MAX, LOG_SLOTS }),
    ...named("BB_", { METRIC_BUCKETS, COMPLETIONS, LINE_DONE, LINE_STAGES }),
    ...named("BB_", { COUNTER: 1, GAUGE: 2, HISTOGRAM: 3 }),
    ...named("BB_CRASH_", CrashState),
    ...named("BB_CALL_", CALL_NUMBER),
  ]);
  const declared = numbersOf(await sources()).filter((name) => !SHIM_ONLY.includes(name));
  assert.deepEqual(declared.toSorted(), [...expected.keys()].sort());
  const found = await evaluate(declared);
  assert.deepEqual(
    Object.fromEntries(declared.map((name, i) => [name, found[i]])),
    Object.fromEntries(declared.map((name) => [name, expected.get(name)])),
  );
});

Deno.test("structsOf() sees every kind of member", () => {
  const structs = structsOf(`
    #define X 1 /* struct no { int a; } */
    typedef struct first { uint32_t size; const char *const *names; int32_t (*call)(void *self, int a[2]); } first_t;
    struct second { struct first f; char path[240]; struct { int inner; } stages[8]; uint64_t (*last)(void); void (*r[4])(void); };
  `);
  assert.deepEqual(Object.fromEntries(structs), {
    first_t: ["size", "names", "call"],
    "struct second": ["f", "path", "stages", "last", "r"],
  });
});

Deno.test("statusName() and callName() give names, and say what has none", () => {
  assert.equal(statusName(Status.INVALID), "INVALID");
  assert.equal(statusName(42), "status 42");
  assert.equal(callName(CALL_NUMBER.before_request), "before_request");
  assert.equal(callName(0), "");
});
