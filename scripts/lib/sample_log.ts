/** Options of {@linkcode sampleLog}. */
export interface SampleLogOptions {
  /** Number of lines. @default 50_000 */
  lines?: number;
  /** The same seed gives the same lines. @default 1 */
  seed?: number;
}

const PATHS = [
  "/",
  "/index.html",
  "/style.css",
  "/logo.png",
  "/api/orders",
  "/api/items?page=2",
  "/blog/busbar",
];
const AGENTS = [
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0",
  "curl/8.8.0",
  "ExampleBot/2.1 (+http://bot.example/about)",
];
/** Statuses, each with how often it comes in 1,000 lines. */
const STATUSES: [status: number, weight: number][] = [
  [200, 870],
  [304, 60],
  [404, 35],
  [301, 20],
  [500, 8],
  [403, 5],
  [503, 2],
];

/**
 * Makes an access log in the combined format. About 4 lines in 1,000 are broken but still have their status as field
 * 9, and about 1 in 1,000 is no log line at all.
 */
export function sampleLog(options: SampleLogOptions = {}): string {
  const { lines = 50_000, seed = 1 } = options;
  const random = mulberry32(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const start = Date.UTC(2026, 0, 5);
  let text = "";
  for (let index = 0; index < lines; index++) {
    const address = `203.0.113.${1 + below(254)}`;
    const method = below(12) === 0 ? "POST" : "GET";
    const request = `${method} ${PATHS[below(PATHS.length)]} HTTP/1.1`;
    const bytes = below(40_000);
    const referer = below(3) === 0 ? "https://example.com/" : "-";
    const end = `"${referer}" "${AGENTS[below(AGENTS.length)]}"`;
    const head = `${address} - - [${logTime(start + index * 700)}] "${request}" ${
      pickStatus(below(1000))
    }`;
    const fate = below(1000);
    if (fate === 0) text += `${address} 400 bad handshake\n`;
    else if (fate <= 2) text += `${head} ${bytes} "${referer}\n`;
    else if (fate <= 4) text += `${head} many ${end}\n`;
    else text += `${head} ${bytes} ${end}\n`;
  }
  return text;
}

function pickStatus(draw: number): number {
  let left = draw;
  for (const [status, weight] of STATUSES) {
    if (left < weight) return status;
    left -= weight;
  }
  return 200;
}

/** "05/Jan/2026:10:05:03 +0000" */
function logTime(time: number): string {
  const [, day, month, year, clock] = new Date(time).toUTCString().split(" ");
  return `${day}/${month}/${year}:${clock} +0000`;
}

/** A small generator of numbers in [0, 1), the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
