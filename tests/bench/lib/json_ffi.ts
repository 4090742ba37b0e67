/**
 * json_ffi.ts LIBRARY COUNT PAYLOAD: calls `bench_event` once for each event, with JSON text both ways, and prints how
 * long that took as `{"events", "ns"}`. A process of its own, so that it is compiled by V8 as freshly as busbar is.
 */

const [path, count, payloadLength] = Deno.args as [string, string, string];
const library = Deno.dlopen(path, {
  bench_event: { parameters: ["buffer", "u32", "buffer", "u32"], result: "i32" },
});
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const request = new Uint8Array(64 * 1024);
const answer = new Uint8Array(256);

/** Payloads of printable text whose first 8 characters vary, with the sum of their bytes. */
const payloads = Array.from({ length: 64 }, (_, i) => {
  const text = `${10_000_000 + i * 997}`.padEnd(
    Number(payloadLength),
    "abcdefghijklmnopqrstuvwxyz",
  );
  return { text, sum: encoder.encode(text).reduce((sum, byte) => sum + byte, 0) };
});

function send(sequence: number): void {
  const payload = payloads[sequence % payloads.length]!;
  const event = {
    source: "s",
    sequence,
    timestamp: 0,
    operation: "message",
    payload: payload.text,
  };
  const { written } = encoder.encodeInto(JSON.stringify(event), request);
  const length = library.symbols.bench_event(request, written, answer, answer.length);
  if (length < 0) {
    throw new Error(`Cannot send event ${sequence}: the library does not understand it`);
  }
  const reply = JSON.parse(decoder.decode(answer.subarray(0, length)));
  if (reply.status !== 0 || reply.sequence !== sequence || reply.checksum !== payload.sum) {
    throw new Error(`Cannot send event ${sequence}: the answer is ${JSON.stringify(reply)}`);
  }
}

const total = Number(count);
const warmup = Math.floor(total / 5);
for (let sequence = 1; sequence <= warmup; sequence++) send(sequence);
const started = performance.now();
for (let sequence = warmup + 1; sequence <= total; sequence++) send(sequence);
const ns = Math.round((performance.now() - started) * 1e6);
console.log(JSON.stringify({ events: total - warmup, ns }));
