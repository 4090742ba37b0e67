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
  await assert.rejects(readRaw(frame(0xffff_ffff, "")), { message: /its length is 4294967295/ });
  await assert.rejects(readRaw(frame(0, "")), { message: /its length is 0, from 1 to/ });
  await assert.rejects(readRaw(frame(4, "nope")), { message: /not JSON/ });
  await assert.rejects(readRaw(frame(100, "{}")), { message: /closed after 2 of 100 bytes/ });
  await assert.rejects(readRaw(new Uint8Array([1, 2])), { message: /closed after 2 of 4 bytes/ });
  await assert.rejects(readRaw(new Uint8Array([1, 0, 0, 0, 0xff])), { message: /not JSON/ });
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
