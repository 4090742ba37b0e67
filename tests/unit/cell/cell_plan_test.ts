import assert from "node:assert/strict";
import { componentPlaces, planCells, sourcePlaces } from "../../../src/cell/cell_plan.ts";
import { component, pipeline } from "./places.ts";

const COMPONENTS = [
  component("in", "source", "a/b"),
  component("also", "source", "a/b"),
  component("out", "reaction", "a/c"),
];

Deno.test("planCells() gives one cell for each pipeline, partition and shared name; none to what is disabled", () => {
  const cells = planCells([
    pipeline("alone", COMPONENTS),
    pipeline("one", COMPONENTS, { cell: "both" }),
    pipeline("parted", COMPONENTS, { partitions: 2 }),
    pipeline("two", COMPONENTS, { cell: "both" }),
    pipeline("off", COMPONENTS, { enabled: false }),
  ], "/data");
  assert.deepEqual(
    cells.map(({ name, pipelines }) => [
      name,
      ...pipelines.map((member) =>
        `${member.pipeline.id} ${member.partitionIndex}/${member.partitionCount}`
      ),
    ]),
    [
      ["alone", "alone 0/1"],
      ["both", "one 0/1", "two 0/1"],
      ["parted/0", "parted 0/2"],
      ["parted/1", "parted 1/2"],
    ],
  );
  const folders = cells.flatMap(({ pipelines }) => pipelines.map((one) => one.dataDirectory));
  assert.equal(new Set(folders).size, 5, "no two share a data folder");
});

Deno.test("components and sources are numbered through all pipelines of a cell, by keys that stay", () => {
  const [cell] = planCells([
    pipeline("one", COMPONENTS, { cell: "both" }),
    pipeline("two", COMPONENTS, { cell: "both" }),
  ], "/data");
  const keys = componentPlaces(cell!.pipelines).map(({ key }) => key);
  assert.deepEqual(keys.slice(2, 5), ["one/0/out", "two/0/in", "two/0/also"]);
  const sources = sourcePlaces(cell!.pipelines).map(({ key }) => key);
  assert.deepEqual(sources, ["one/0/in", "one/0/also", "two/0/in", "two/0/also"]);
});
