/** Apache Arrow, which scripts/setup gets: to compile C++ with, and to read Parquet files back in Python. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PROJECT, runProgram } from "./c_program.ts";

const FOLDER = join(PROJECT, ".tools/arrow");
const PACKAGE = join(FOLDER, "pyarrow");

/** Prints schema and rows of the Parquet files below a folder, sorted by their names, as JSON. Times are nanoseconds, as text. */
const READER = `
import json, pathlib, sys
import pyarrow
import pyarrow.parquet as parquet

def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return value

files = []
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.parquet")):
    file = parquet.ParquetFile(path)
    table = file.read()
    schema = {field.name: str(field.type) for field in table.schema}
    for index, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, table.column(index).cast("int64").cast("string"))
    files.append({
        "name": str(path.relative_to(sys.argv[1])),
        "schema": schema,
        "rowGroups": file.metadata.num_row_groups,
        "compression": file.metadata.row_group(0).column(0).compression,
        "rows": [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()],
    })
json.dump(files, sys.stdout)
`;

/** A Parquet file, as pyarrow reads it. */
export interface ParquetFile {
  /** Below the folder that was read. */
  name: string;
  /** Arrow's types of the columns. */
  schema: Record<string, string>;
  rowGroups: number;
  compression: string;
  // deno-lint-ignore no-explicit-any
  rows: Record<string, any>[];
}

/** Flags to compile and to link C++ with. */
export const ARROW_FLAGS = [
  ...["-std=c++20", "-isystem", join(PACKAGE, "include"), `-L${PACKAGE}`],
  ...["-lparquet", "-larrow", `-Wl,-rpath,${PACKAGE}`],
];

/** Whether Arrow is there. Without it a test says so and passes on a developer's machine; a CI server must have it. */
export async function hasArrow(): Promise<boolean> {
  try {
    return (await Deno.stat(PACKAGE)).isDirectory;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (Deno.env.get("CI") === "true") {
      throw new Error(`Cannot test Parquet files: "${PACKAGE}" is missing, run scripts/setup`);
    }
    console.log("Apache Arrow is missing, so Parquet files are not tested: run scripts/setup");
    return false;
  }
}

/** Every Parquet file below a folder. */
export async function readParquet(folder: string): Promise<ParquetFile[]> {
  const env = { PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: "1" };
  const { success, stdout, stderr } = await runProgram("python3", ["-c", READER, folder], env);
  assert.ok(success, stderr);
  return JSON.parse(stdout);
}
