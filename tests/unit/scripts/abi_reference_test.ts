import assert from "node:assert/strict";
import { join } from "node:path";
import { LAYOUTS } from "../../../ffi/layout.ts";
import { abiReference, REFERENCE } from "../../../scripts/lib/abi_reference.ts";
import { sectionsOf } from "../../../scripts/lib/c_header.ts";
import { PROJECT } from "../../../scripts/lib/files.ts";

const HEADER = `/*
 * A header.
 */
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Numbers ---- */

#define ONE 1 /* the first */
#define TWO 2

/* Adds. */
static inline int add(int a, int b) { return a + b; }

static inline int hidden_(int a) {
  return a;
}

/* ---- Tables ---- */

/* A table. */
typedef struct table {
  uint32_t size; /* of all
                    of it */
  /* [serialised] OK or FAILED. */
  int32_t (*call)(void *self,
                  const char *name);
  uint64_t reserved[4];
} table_t;
`;

Deno.test("sectionsOf() reads constants, functions and structs with their comments", () => {
  const constants = [{ name: "ONE", value: "1", text: "the first" }, {
    name: "TWO",
    value: "2",
    text: "",
  }];
  assert.deepEqual(sectionsOf(HEADER), [
    {
      title: "Numbers",
      declarations: [
        { kind: "constants", constants, text: "" },
        { kind: "function", name: "add", signature: "int add(int a, int b)", text: "Adds." },
      ],
    },
    {
      title: "Tables",
      declarations: [{
        kind: "struct",
        name: "table_t",
        text: "A table.",
        members: [
          { name: "size", type: "uint32_t", text: "of all of it" },
          {
            name: "call",
            type: "function",
            text: "[serialised] OK or FAILED.",
            signature: "int32_t call(void *self, const char *name)",
          },
          { name: "reserved", type: "uint64_t[4]", text: "" },
        ],
      }],
    },
  ]);
});

Deno.test("docs/abi-reference.md is what the headers say", async () => {
  const text = await Deno.readTextFile(join(PROJECT, REFERENCE));
  const command = "deno run -A scripts/lib/abi_reference.ts";
  assert.ok(text === await abiReference(), `"${command}" writes it anew`);
});

Deno.test("docs/abi-reference.md has every struct, constant and function of the headers", async () => {
  const text = await Deno.readTextFile(join(PROJECT, REFERENCE));
  for (const name of Object.keys(LAYOUTS)) assert.ok(text.includes(`\n#### ${name}\n`), name);
  for (const header of ["busbar.h", "busbar_sdk.h", "busbar_buffer.h", "busbar_json.h"]) {
    const source = await Deno.readTextFile(join(PROJECT, "ffi/include", header));
    const names = [
      ...source.matchAll(/^#define (BUSBAR_\w+)[ (]/gm),
      ...source.matchAll(/^static inline .*?\b(busbar_\w+)\(/gm),
      ...source.matchAll(/^\} (busbar_\w+_t);/gm),
    ].map(([, name]) => name!).filter((name) => !name.endsWith("_"));
    assert.ok(names.length > 5, header);
    for (const name of names) {
      assert.ok(new RegExp(`(#### |\`)([^\`\\n]*\\W)?${name}\\W`).test(text), `${header}: ${name}`);
    }
  }
});
