import assert from "node:assert/strict";
import { RestartPolicy } from "../../../src/cell/restart_policy.ts";

const SETTINGS = { initialMs: 100, maxMs: 1000, multiplier: 3, maxRestarts: 4, windowMs: 60_000 };

Deno.test("next() waits longer each time, up to the longest wait, then gives up", () => {
  const policy = new RestartPolicy(SETTINGS);
  const waits = Array.from({ length: 6 }, () => policy.next(10));
  assert.deepEqual(waits, [100, 300, 900, 1000, undefined, undefined]);
});

Deno.test("next() forgets restarts once the cell was up for longer than the window", () => {
  const policy = new RestartPolicy(SETTINGS);
  assert.deepEqual([policy.next(0), policy.next(0), policy.next(0)], [100, 300, 900]);
  assert.equal(policy.next(60_000), 100);
});

Deno.test("next() never gives up on a cell that crashes less often than the window allows", () => {
  const policy = new RestartPolicy(SETTINGS);
  for (let i = 0; i < 100; i++) assert.notEqual(policy.next(20_000), undefined);
});

Deno.test("next() gives up at once when no restart is allowed", () => {
  assert.equal(new RestartPolicy({ ...SETTINGS, maxRestarts: 0 }).next(1e9), undefined);
});
