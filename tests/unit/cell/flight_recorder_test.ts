import assert from "node:assert/strict";
import { MemoryFile } from "../../../ffi/memory_file.ts";
import { CALL_NUMBER, RecorderSourceLayout } from "../../../ffi/recorder_layout.ts";
import {
  CellRecorder,
  ComponentState,
  createRecorder,
  Health,
  planRecorder,
  writeSourceState,
} from "../../../ffi/flight_recorder.ts";
import { LogRing } from "../../../src/cell/log_ring.ts";
import { RecorderReader } from "../../../src/cell/recorder_reader.ts";

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

/** A recorder as host and cell see it: two maps of the same file. */
function withRecorder(
  components: number,
  sources: number,
  test: (reader: RecorderReader, cell: CellRecorder, buffer: ArrayBuffer) => void,
): void {
  const plan = planRecorder(components, sources);
  const file = createRecorder(plan);
  const cell = MemoryFile.open(file.path, plan.size);
  try {
    test(new RecorderReader(file.buffer, plan), new CellRecorder(cell.buffer), cell.buffer);
  } finally {
    cell.close();
    file.close();
  }
}

Deno.test("the host reads what the cell counts", () => {
  withRecorder(3, 1, (reader, cell) => {
    const record = cell.component(1);
    record.enter(CALL_NUMBER.process, 2 ** 40 + 7);
    assert.equal(reader.calls(1), 1n);
    record.received(2 ** 33, 5);
    record.received(1, 5);
    record.emitted(3, 4);
    record.leave(-1);
    cell.setHealth(1, Health.UNWELL);
    cell.setState(1, ComponentState.STARTED);
    cell.setQueued(1, 9);
    cell.setPending(1, 8);
    cell.setDropped(1, 2 ** 34);
    cell.setRetries(1, 6);
    cell.setBuffer(1, { bytes: 2 ** 35, events: 5, dropped: 4, corrupt: 3 });
    assert.deepEqual(reader.component(1), {
      calls: 2n,
      call: "process",
      sequence: 2 ** 40 + 7,
      source: 0,
      eventsIn: 2 ** 33 + 1,
      eventsOut: 3,
      bytesIn: 10,
      bytesOut: 4,
      errors: 1,
      dropped: 2 ** 34,
      retries: 6,
      health: Health.UNWELL,
      state: ComponentState.STARTED,
      queued: 9,
      pending: 8,
      bufferBytes: 2 ** 35,
      bufferEvents: 5,
      bufferDropped: 4,
      bufferCorrupt: 3,
    });
    assert.equal(reader.component(0).calls, 0n);
    assert.equal(reader.component(2).eventsIn, 0);
    cell.beat();
    assert.equal(reader.heartbeat(), 1n);
    assert.equal(reader.endedCleanly(), false);
    cell.cleanExit();
    assert.equal(reader.endedCleanly(), true);
  });
});

Deno.test("a source's state goes both ways, up to the longest position", () => {
  withRecorder(2, 2, (reader, cell, buffer) => {
    const position = crypto.getRandomValues(new Uint8Array(65536));
    const nothing = { acknowledged: 0n, polled: 0n, position: new Uint8Array() };
    assert.deepEqual(reader.source(1), nothing);
    const turn = reader.sourceTurn(1);
    cell.writeSource(1, 12345678901234567890n, position);
    assert.notEqual(reader.sourceTurn(1), turn);
    assert.deepEqual(reader.source(1), {
      ...nothing,
      acknowledged: 12345678901234567890n,
      position,
    });
    assert.deepEqual(reader.source(0), nothing);
    assert.deepEqual(cell.readSource(1), reader.source(1));
    assert.throws(() => cell.writeSource(1, 1, new Uint8Array(65537)), /at most 65536/);
    assert.throws(() => cell.writeSource(2, 1, new Uint8Array()), /No source 2/);
    const at = cell.plan.sourcesAt + RecorderSourceLayout.size;
    new Uint32Array(buffer, at, 1)[0]!++;
    assert.equal(reader.source(1), undefined, "it is being written");
    const state = { acknowledged: 5n, polled: 9n, position: new Uint8Array([1]) };
    writeSourceState(buffer, at, state);
    assert.deepEqual(reader.source(1), state);
    // The cell moves its source on, but what the host said of earlier processes stays.
    cell.writeSource(1, 6, new Uint8Array([2]));
    assert.deepEqual(reader.source(1), {
      acknowledged: 6n,
      polled: 9n,
      position: new Uint8Array([2]),
    });
  });
});

Deno.test("a cell refuses a file that is no recorder, or one of another size", () => {
  assert.throws(() => new CellRecorder(new ArrayBuffer(8192)), /magic number/);
  withRecorder(1, 1, (_reader, _cell, buffer) => {
    assert.throws(() => new CellRecorder(buffer.slice(0, 8192)), /has 8192 bytes, not/);
  });
});

Deno.test("whatever a cell writes, reading gives plausible values and never throws", () => {
  const plan = planRecorder(3, 2);
  const buffer = new ArrayBuffer(plan.size);
  const words = new Uint32Array(buffer);
  const special = [0, 1, 2, 3, 4, 64, 255, 256, 257, 1984, 65536, 65537, 2 ** 31, 2 ** 32 - 1];
  let seed = 42;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < words.length; i++) {
      words[i] = random(4) === 0 ? random(2 ** 32) : special[random(special.length)]!;
    }
    const reader = new RecorderReader(buffer, plan);
    reader.heartbeat();
    const crash = reader.crash();
    assert.ok(crash?.component === undefined || crash.component < 3);
    for (let i = 0; i < 3; i++) assert.ok(reader.component(i).call.length < 20);
    for (let i = 0; i < 2; i++) assert.ok((reader.source(i)?.position.length ?? 0) <= 65536);
    for (const metric of reader.metrics()) {
      assert.ok(metric.component === undefined || metric.component < 3);
      assert.ok(metric.name.length <= 64);
    }
    const ring = new LogRing(buffer, plan);
    for (let slot = 0; slot < 512; slot++) {
      new BigUint64Array(buffer, plan.logAt + slot * 2048, 1)[0] = 1n;
    }
    for (const record of [...ring.drain(), ...ring.drainDead()]) {
      assert.ok(record.component === undefined || record.component < 3);
      assert.ok(record.target.length + record.message.length <= 1984);
    }
  }
  assert.throws(() => new RecorderReader(buffer, plan).component(3), /No place 3/);
  assert.throws(() => new RecorderReader(buffer, plan).source(-1), /No place -1/);
});
