/** The tests of the C and C++ SDKs and of their examples, as their authors would run them. */
import { join } from "node:path";
import { follow } from "../support/tutorial.ts";
import { compileTest, PROJECT, reportTests, variants, withFolder } from "../support/c_program.ts";

const PROGRAMS = join(PROJECT, "tests/sdk/programs");
const WORD_COUNT = join(PROJECT, "ffi/examples/word_count");

/** Test programs, what they are compiled with, and how many tests they run. */
const TESTS = [
  { name: "C SDK", source: join(PROGRAMS, "sdk_test.c"), others: [], count: 16 },
  { name: "C++ SDK", source: join(PROGRAMS, "sdk_test.cpp"), others: [], count: 17 },
  {
    name: "word count in C",
    source: join(WORD_COUNT, "c/test_word_count.c"),
    others: [join(WORD_COUNT, "c/word_count.c"), join(WORD_COUNT, "c/words.c")],
    count: 7,
  },
  {
    name: "word count in C++",
    source: join(WORD_COUNT, "cpp/test_word_count.cpp"),
    others: [join(WORD_COUNT, "cpp/word_count.cpp")],
    count: 5,
  },
];

// The strictest variant that the compiler has: it finds what the plain one finds.
const { suffix, flags } = (await variants()).at(-1)!;

for (const { name, source, others, count } of TESTS) {
  Deno.test(`${name} keeps its promises${suffix}`, async (t) => {
    await withFolder(async (folder) => {
      const program = join(folder, "test");
      await compileTest(source, program, [...flags, ...others]);
      await reportTests(t, program, { args: [], folder, count });
    });
  });
}

for (const page of ["c", "cpp"]) {
  Deno.test(`docs/sdk/${page}.md: its program does what the page says`, async () => {
    await withFolder(async (folder) => {
      await follow(join(PROJECT, `docs/sdk/${page}.md`), { folder, bin: join(PROJECT, "dist") });
    });
  });
}
