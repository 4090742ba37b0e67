import assert from "node:assert/strict";
import { join } from "node:path";
import { ContentType, RecordFlag, Status } from "../../../ffi/layout.ts";
import { StandardInput } from "../../../src/cell/standard_input.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { waitFor } from "../../support/busbar.ts";
import { type Host, withBatch, withBuiltin } from "./support.ts";

const encoder = new TextEncoder();

/** Standard input whose pieces the test gives, served as the host does. */
class Input {
  readonly served: StandardInput;
  reads = 0;
  readonly #pieces: (Uint8Array | null)[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(folder: string) {
    let sockets = 0;
    const next = () => join(folder, `${sockets++}.sock`);
    this.served = new StandardInput({ next }, async (into) => {
      while (this.#pieces.length === 0) {
        this.#wake = Promise.withResolvers<void>();
        await this.#wake.promise;
      }
      this.reads++;
      const piece = this.#pieces[0];
      if (piece == null) return null;
      const length = Math.min(piece.length, into.length);
      into.set(piece.subarray(0, length));
      this.#pieces.shift();
      if (length < piece.length) this.#pieces.unshift(piece.subarray(length));
      return length;
    });
  }

  give(...pieces: (string | null)[]): void {
    this.#pieces.push(...pieces.map((piece) => piece === null ? null : encoder.encode(piece)));
    this.#wake.resolve();
  }

  connect = (): Promise<Deno.UnixConn> =>
    Deno.connect({ transport: "unix", path: this.served.path });
}

async function withInput(action: (input: Input) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const input = new Input(folder);
  try {
    await action(input);
  } finally {
    input.give(null);
    input.served.close();
    await Deno.remove(folder, { recursive: true });
  }
}

interface Got {
  text: string;
  type: number;
  cut: boolean;
}

/** Runs the source until it has given `most` events or has ended. */
async function read(
  { instance }: Host,
  { most = Infinity, limit = 100 } = {},
): Promise<{ events: Got[]; ended: boolean }> {
  const events: Got[] = [];
  let ended = false;
  await withBatch({ limit }, async (batch) => {
    const poll = async () => {
      batch.reset();
      const status = await instance.poll(batch);
      assert.ok(status >= 0, instance.error());
      const reader = new RecordReader().open(batch);
      while (reader.next()) {
        assert.ok(reader.timestamp > 0n);
        events.push({
          text: new TextDecoder().decode(reader.payload),
          type: reader.contentType,
          cut: (reader.flags & RecordFlag.TRUNCATED) !== 0,
        });
      }
      ended = status === Status.DONE;
      return ended || events.length >= most;
    };
    // Waits only where nothing has come.
    await waitFor(async () => {
      let before: number;
      do {
        before = events.length;
        if (await poll()) return true;
      } while (events.length > before);
      return false;
    });
  });
  return { events, ended };
}

function texts(events: readonly Got[]): string[] {
  return events.map(({ text }) => text);
}

Deno.test("stdin gives a line as an event each, then ends", () =>
  withInput(async (input) => {
    input.give("one\ntw", "o\r\n\nthree is too long\nlast", null);
    const given = { config: { max_line: 8 }, standardInput: input.connect };
    await withBuiltin("stdin", given, async (host) => {
      assert.equal(await host.instance.start(), Status.OK, host.instance.error());
      const { events, ended } = await read(host, { limit: 2 });
      assert.ok(ended);
      assert.deepEqual(texts(events), ["one", "two", "", "three is", "last"]);
      assert.deepEqual(events.map(({ cut }) => cut), [false, false, false, true, false]);
      assert.ok(events.every(({ type }) => type === ContentType.TEXT));
      await host.instance.stop();
    });
  }));

Deno.test("stdin with ndjson says that lines are JSON and leaves empty ones out; with raw, bytes are events", () =>
  withInput(async (input) => {
    input.give('{"a":1}\n\n{"a":2}\n');
    await withBuiltin(
      "stdin",
      { config: { format: "ndjson" }, standardInput: input.connect },
      async (host) => {
        await host.instance.start();
        const { events } = await read(host, { most: 2 });
        assert.deepEqual(texts(events), ['{"a":1}', '{"a":2}']);
        assert.ok(events.every(({ type }) => type === ContentType.JSON));
        await host.instance.stop();
      },
    );
    input.give("abc\ndefgh", null);
    await withBuiltin(
      "stdin",
      { config: { format: "raw", chunk_size: 4 }, standardInput: input.connect },
      async (host) => {
        await host.instance.start();
        const { events } = await read(host);
        assert.deepEqual(texts(events), ["abc\n", "defg", "h"]);
        await host.instance.stop();
      },
    );
  }));

Deno.test("what a stdin source that stops has not given is what the next one begins with", () =>
  withInput(async (input) => {
    const numbers = Array.from({ length: 50_000 }, (_, i) => `${i}`);
    input.give(numbers.join("\n").slice(0, 100_003), numbers.join("\n").slice(100_003));
    const events: Got[] = [];
    for (let round = 0; round < 20; round++) {
      await withBuiltin("stdin", { standardInput: input.connect }, async (host) => {
        await host.instance.start();
        const most = round === 19 ? Infinity : 1 + round * 97;
        if (round === 19) input.give(null);
        events.push(...(await read(host, { most, limit: 50 })).events);
        assert.equal(await host.instance.stop(), Status.OK, host.instance.error());
      });
    }
    assert.deepEqual(texts(events), numbers);
  }));

Deno.test("the host reads no more of its input than a stdin source takes", () =>
  withInput(async (input) => {
    const line = `${"x".repeat(1023)}\n`;
    input.give(line.repeat(16 * 1024), null);
    await withBuiltin("stdin", { standardInput: input.connect }, async (host) => {
      await host.instance.start();
      const first = await read(host, { most: 1, limit: 1 });
      assert.equal(first.events.length, 1);
      let before = -1;
      // It has stopped reading when nothing has been read between two looks.
      await waitFor(() => input.reads === before || !(before = input.reads));
      assert.ok(input.reads < 16, `${input.reads} reads of 256 KiB`);
      const { events, ended } = await read(host, { limit: 1000 });
      assert.ok(ended);
      assert.equal(events.length, 16 * 1024 - 1);
      await host.instance.stop();
    });
  }));

Deno.test("after a stdin source that broke off, the next one leaves out the rest of a line", () =>
  withInput(async (input) => {
    input.give("first\nhalf");
    const connection = await input.connect();
    const got = new Uint8Array(100);
    let length = 0;
    while (length < 11) length += (await connection.read(got.subarray(length)))!;
    connection.close();
    await withBuiltin("stdin", { standardInput: input.connect }, async (host) => {
      await host.instance.start();
      input.give(" line\nnext\n", null);
      const { events } = await read(host);
      assert.deepEqual(texts(events), ["next"]);
      assert.match(host.logs[0]!.message, /goes on within a line/);
      await host.instance.stop();
    });
  }));
