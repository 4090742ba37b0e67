import assert from "node:assert/strict";
import { diffCells, pluginsOf } from "../../../src/cell/cell_diff.ts";
import { planCells } from "../../../src/cell/cell_plan.ts";
import type { CellPlugin } from "../../../src/cell/protocol.ts";
import type { ResolvedPipeline } from "../../../src/config/resolved.ts";
import { component, pipeline, plugin } from "./places.ts";

const web = (changes: Partial<ResolvedPipeline> = {}) =>
  pipeline("web", [component("in", "source", "numbers/numbers")], changes);
const logs = (changes: Partial<ResolvedPipeline> = {}) =>
  pipeline("logs", [component("in", "source", "tail/tail")], changes);

/** What `diffCells()` makes of cells that run `before`, by names. */
function diff(
  before: ResolvedPipeline[],
  after: ResolvedPipeline[],
  options: { plugins?: CellPlugin[]; force?: string } = {},
) {
  const present = new Map(
    [plugin("numbers"), plugin("tail")].map((one) => [one.manifest.name, one]),
  );
  const plugins = new Map([
    ...present,
    ...(options.plugins ?? []).map((one) => [one.manifest.name, one] as const),
  ]);
  const cells = planCells(before, "/data").map((plan) => ({ plan, plugins: present }));
  const { removed, changed, added, same, order } = diffCells(cells, {
    next: { pipelines: after, plugins },
    dataDirectory: "/data",
    force: (plan) => options.force !== undefined && pluginsOf(plan).has(options.force),
  });
  return {
    removed: removed.map(({ plan }) => plan.name),
    changed: changed.map(({ plan }) => plan.name),
    added: added.map(({ name }) => name),
    same: same.map(({ plan }) => plan.name),
    order,
  };
}

Deno.test("diffCells() tells what was added, removed, changed or stays", () => {
  const third = pipeline("third", []);
  assert.deepEqual(
    diff([web(), logs()], [third, web({ batch: { ...web().batch, maxEvents: 1 } })]),
    {
      removed: ["logs"],
      changed: ["web"],
      added: ["third"],
      same: [],
      order: ["third", "web"],
    },
  );
  assert.deepEqual(diff([web(), logs()], [web(), logs({ enabled: false })]).removed, ["logs"]);
  assert.deepEqual(diff([web(), logs()], [web(), logs()]).same, ["web", "logs"]);
});

Deno.test("diffCells() takes a cell for changed when a plugin that it runs has other files, or it is forced", () => {
  const newer = { ...plugin("tail", "2.0.0"), library: "/data/plugins/tail/4567/lib.so" };
  const changed = diff([web(), logs()], [web(), logs()], { plugins: [newer] });
  assert.deepEqual([changed.changed, changed.same], [["logs"], ["web"]]);
  const forced = diff([web(), logs()], [web(), logs()], { force: "numbers" });
  assert.deepEqual([forced.changed, forced.same], [["web"], ["logs"]]);
});

Deno.test("diffCells() removes and adds cells between which a pipeline moves, so that it never runs twice", () => {
  const other = pipeline("other", []);
  assert.deepEqual(
    diff([web({ cell: "a" }), logs({ cell: "a" }), other], [
      web({ cell: "a" }),
      logs({ cell: "b" }),
      other,
    ]),
    { removed: ["a"], changed: [], added: ["a", "b"], same: ["other"], order: ["a", "b", "other"] },
  );
});

Deno.test("diffCells() compares partitions by themselves", () => {
  assert.deepEqual(diff([web({ partitions: 2 })], [web({ partitions: 3 })]).added, ["web/2"]);
});
