/**
 * Feeds the port-holding source of a soak run: sends numbered lines to 127.0.0.1, writes down what it sends and which of it
 * came back as committed. A number is sent once. Ends after its standard input has, once all it sent on the connection that
 * stands is committed.
 *
 *   deno run -A tests/soak/feeder.ts PORT LINES_A_SECOND SENT_FILE ACKNOWLEDGED_FILE [BURST_FILE]
 *
 * While BURST_FILE exists it sends as fast as it can.
 */
const [port, rate, sentFile, acknowledgedFile, burstFile] = Deno.args as [
  string,
  string,
  string,
  string,
  string | undefined,
];

const TURN_MS = 10;
const MOST_AT_ONCE = 1000;
/** Those that nobody reads would fill memory. */
const MOST_OPEN = 200_000;

const sent = Deno.openSync(sentFile, { create: true, append: true });
const acknowledged = Deno.openSync(acknowledgedFile, { create: true, append: true });
const encoder = new TextEncoder();

/** Numbers that went over one connection, which arrive in order, and how many of them are committed. */
interface Range {
  first: number;
  last: number;
  committed: number;
}

const ranges: Range[] = [];
let next = 1;
let ending = false;
/** Sends left over from a turn, for which there was less than one. */
let owed = 0;

async function waitForEnd(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  ending = true;
}

function writeLine(file: Deno.FsFile, text: string): void {
  const bytes = encoder.encode(text);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** Notes that everything up to `number` of the connection it was sent over is committed. */
function acknowledge(number: number): void {
  const range = ranges.find(({ first, last }) => first <= number && number <= last);
  if (range === undefined || range.committed >= number) return;
  writeLine(acknowledged, `${range.committed + 1} ${number}\n`);
  range.committed = number;
  while (ranges.length > 20) ranges.shift();
}

async function readAnswers(connection: Deno.Conn): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of connection.readable) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) acknowledge(Number(line));
  }
}

function bursting(): boolean {
  if (burstFile === undefined) return false;
  try {
    return Deno.statSync(burstFile).isFile;
  } catch {
    return false;
  }
}

async function feed(connection: Deno.Conn): Promise<void> {
  const range: Range = { first: next, last: next - 1, committed: next - 1 };
  ranges.push(range);
  let broken = false;
  readAnswers(connection).catch(() => {}).finally(() => broken = true);
  while (!broken) {
    if (ending && range.committed === range.last) return;
    const fast = bursting();
    owed = Math.min(MOST_AT_ONCE, owed + (fast ? MOST_AT_ONCE : Number(rate) * TURN_MS / 1000));
    const count = ending || range.last - range.committed > MOST_OPEN ? 0 : Math.floor(owed);
    if (count > 0) {
      owed -= count;
      let text = "";
      for (let i = 0; i < count; i++) text += `${next + i}\n`;
      writeLine(sent, text);
      next += count;
      range.last = next - 1;
      const bytes = encoder.encode(text);
      for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
    }
    await new Promise((wake) => setTimeout(wake, fast ? 1 : TURN_MS));
  }
}

const end = waitForEnd();
while (!ending) {
  try {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    try {
      await feed(connection);
    } finally {
      try {
        connection.close();
      } catch { /* it was closed from the other side */ }
    }
  } catch { /* nobody listens, or no longer */ }
  await new Promise((wake) => setTimeout(wake, TURN_MS));
}
await end;
