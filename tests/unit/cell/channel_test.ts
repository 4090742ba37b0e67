import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type Channel,
  ChannelError,
  connectChannel,
  listenChannel,
  MESSAGE_MAX,
} from "../../../src/cell/channel.ts";

type Text = { text: string };

async function withPair(
  test: (a: Channel<Text, Text>, b: Channel<Text, Text>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const listener = listenChannel<Text, Text>(join(folder, "socket"));
  try {
    const [a, b] = await Promise.all([
      listener.accept(),
      connectChannel<Text, Text>(listener.path),
    ]);
    await test(a!, b);
    a!.close();
    b.close();
  } finally {
    listener.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a reader makes of raw bytes that are followed by the end of the connection. */
async function readRaw(bytes: Uint8Array<ArrayBuffer>): Promise<unknown[]> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "socket");
  const listener = listenChannel<unknown, unknown>(path);
  try {
    const raw = await Deno.connect({ transport: "unix", path });
    const channel = await listener.accept();
    const writing = (async () => {
      for (let at = 0; at < bytes.length;) at += await raw.write(bytes.subarray(at));
    })().catch(() => {}).finally(() => raw.close());
    try {
      return await Array.fromAsync(channel!);
    } finally {
      await writing;
    }
  } finally {
    listener.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function frame(length: number, body: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array([0, 0, 0, 0, ...new TextEncoder().encode(body)]);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}

Deno.test("messages arrive whole and in order, small and large", async () => {
  await withPair(async (a, b) => {
    const texts = ["", "ä\u0000\n", "x".repeat(5_000_000), ..."abcdefgh"];
    for (const text of texts) void a.send({ text });
    const received = [];
    for await (const { text } of b) {
      received.push(text);
      if (received.length === texts.length) break;
    }
    assert.deepEqual(received, texts);
  });
});

Deno.test("flush() resolves when all is sent, so that a sender may leave", async () => {
  await withPair(async (a, b) => {
    const reading = Array.fromAsync(b);
    for (let i = 0; i < 100; i++) void a.send({ text: "x".repeat(50_000) });
    await a.flush();
    a.close();
    assert.equal((await reading).length, 100);
  });
});

Deno.test("iteration ends when the peer closes", async () => {
  await withPair(async (a, b) => {
    a.close();
    assert.deepEqual(await Array.fromAsync(b), []);
  });
});

Deno.test("send() rejects when the peer is gone, and when a message is too long", async () => {
  await withPair(async (a, b) => {
    await assert.rejects(a.send({ text: "x".repeat(MESSAGE_MAX) }), {
      name: "ChannelError",
      message: new RegExp(`has ${MESSAGE_MAX + 11} bytes, at most ${MESSAGE_MAX}`),
    });
    b.close();
    await assert.rejects(async () => {
      for (;;) await a.send({ text: "y" });
    }, ChannelError);
  });
});

Deno.test("bytes that are no message are an error of the reader", async () => {
  await assert.rejects(readRaw(frame(0x7fff_ffff, "")), { message: /its length is 2147483647/ });
  await assert.rejects(readRaw(frame(0, "")), { message: /its length is 0, from 1 to/ });
  await assert.rejects(readRaw(frame(4, "nope")), { message: /not JSON/ });
  await assert.rejects(readRaw(frame(100, "{}")), { message: /closed after 2 of 100 bytes/ });
  await assert.rejects(readRaw(new Uint8Array([1, 2])), { message: /closed after 2 of 4 bytes/ });
  await assert.rejects(readRaw(new Uint8Array([1, 0, 0, 0, 0xff])), { message: /not JSON/ });
});

Deno.test("bytes travel behind messages as they are", async () => {
  await withPair(async (a, b) => {
    const large = crypto.getRandomValues(new Uint8Array(60_000)).toHex();
    const bytes = new TextEncoder().encode(large.repeat(50));
    void a.send({ text: "before" });
    void a.send({ text: "none" }, new Uint8Array(0));
    void a.send({ text: "large" }, bytes);
    void a.send({ text: "after" });
    const received: (Text & { bytes?: Uint8Array })[] = [];
    for await (const message of b) {
      received.push(message);
      if (received.length === 4) break;
    }
    assert.deepEqual(received.map(({ text }) => text), ["before", "none", "large", "after"]);
    assert.deepEqual(received.map(({ bytes }) => bytes?.length), [
      undefined,
      0,
      bytes.length,
      undefined,
    ]);
    assert.deepEqual(received[2]!.bytes, bytes);
  });
});

Deno.test("frames with bytes that lie about their lengths are an error of the reader", async () => {
  const framed = (length: number, jsonLength: number, rest: string) => {
    const bytes = new Uint8Array(8 + rest.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, (length | 0x8000_0000) >>> 0, true);
    view.setUint32(4, jsonLength, true);
    bytes.set(new TextEncoder().encode(rest), 8);
    return bytes;
  };
  assert.deepEqual(await readRaw(framed(7, 2, "{}x")), [{ bytes: new Uint8Array([120]) }]);
  await assert.rejects(readRaw(framed(7, 4, "{}x")), { message: /JSON has 4 bytes, it has 3/ });
  await assert.rejects(readRaw(framed(7, 0xffff_ffff, "{}x")), { message: /JSON has 4294967295/ });
  await assert.rejects(readRaw(framed(4, 0, "")), { message: /from 5 to/ });
  await assert.rejects(readRaw(framed(0x7fff_ffff, 2, "")), { message: /its length is/ });
  await assert.rejects(readRaw(framed(7, 3, "[]x")), { message: /not JSON/ });
  await assert.rejects(readRaw(framed(7, 2, "[]x")), { message: /no JSON object/ });
  for (let round = 0; round < 200; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(8 + round));
    const view = new DataView(bytes.buffer);
    view.setUint32(0, (0x8000_0000 | (4 + round)) >>> 0, true);
    view.setUint32(4, view.getUint32(4, true) % (round + 2), true);
    await readRaw(bytes).catch((error) => assert.ok(error instanceof ChannelError, `${error}`));
  }
});

Deno.test("random bytes never do more than end the reader with a ChannelError", async () => {
  for (let round = 0; round < 200; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(round));
    await readRaw(bytes).catch((error) => assert.ok(error instanceof ChannelError, `${error}`));
  }
});

Deno.test("a socket is its user's alone, and is removed with its listener", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const listener = listenChannel<Text, Text>(join(folder, "socket"));
    assert.equal((await Deno.stat(listener.path)).mode! & 0o777, 0o600);
    const accepting = listener.accept();
    listener.close();
    assert.equal(await accepting, undefined);
    await assert.rejects(Deno.stat(listener.path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
