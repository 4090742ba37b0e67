/** The longest line that is passed on in one piece, in bytes. */
export const LINE_MAX = 16 * 1024;

/** So many lines in so many ms are passed on at most: what comes faster stays in the pipe, where its writer waits. */
const BURST_LINES = 500;
const BURST_MS = 100;

const NEWLINE = 10;

/**
 * Calls `onLine` for each line of the stream as soon as it is complete, without its end; for the last one also when it has
 * none. Lines that are too long come in pieces. Bytes that are not UTF-8 are replaced. A stream that never pauses cannot keep
 * this process from its other work. Never rejects.
 */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  let held = new Uint8Array();
  let passed = 0;
  let since = performance.now();
  const pass = (bytes: Uint8Array) => {
    const text = new TextDecoder().decode(bytes);
    onLine(text.endsWith("\r") ? text.slice(0, -1) : text);
  };
  try {
    for await (const chunk of stream) {
      const bytes = new Uint8Array(held.length + chunk.length);
      bytes.set(held);
      bytes.set(chunk, held.length);
      let start = 0;
      for (let end; (end = lineEnd(bytes, start)) !== undefined;) {
        pass(bytes.subarray(start, end));
        start = bytes[end] === NEWLINE ? end + 1 : end;
        if (++passed < BURST_LINES) continue;
        await until(since + BURST_MS);
        passed = 0;
        since = performance.now();
      }
      held = bytes.slice(start);
    }
  } catch {
    // The stream was cancelled, or broke with its process: what came until then counts.
  }
  if (held.length > 0) pass(held);
}

function until(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())));
}

function lineEnd(bytes: Uint8Array, start: number): number | undefined {
  const end = bytes.indexOf(NEWLINE, start);
  const limit = start + LINE_MAX;
  if (end >= 0 && end <= limit) return end;
  return bytes.length > limit ? limit : undefined;
}
