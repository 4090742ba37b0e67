import { join, relative, resolve } from "node:path";
import { stringify } from "yaml";
import { main, PROJECT } from "./files.ts";
import { sampleLog } from "./sample_log.ts";

const POLL_MS = 100;

/** The file that reaction `builtin/stats` writes: its `file` setting. */
interface Stats {
  events: number;
  /** Number of events by the value of the field that `group_by` names. */
  groups: Record<string, number>;
}

/** The part of `GET /api/v1/pipelines` that is shown. */
interface PipelineView {
  id: string;
  status: string;
  components: { id: string; kind: string; eventsOut: number }[];
}

interface Demo {
  log: string;
  archive: string;
  stats: string;
  config: string;
}

/** Runs the log-analytics pipeline on `file` (or a sample), shows progress and prints a summary. */
async function demo(file: string | undefined, serve: boolean): Promise<void> {
  const { log, archive, stats, config } = await prepare(file, serve);
  console.log(
    `demo: ${log} (${(await Deno.stat(log)).size.toLocaleString("en")} bytes), config ${config}`,
  );

  const started = performance.now();
  const child = new Deno.Command(join(PROJECT, "dist/busbar"), {
    args: ["run", "-c", config, ...(serve ? [] : ["--until-done"])],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // Ctrl-C reaches this script alone, which then stops busbar once.
    detached: true,
  }).spawn();
  const stop = () => child.kill("SIGTERM");
  Deno.addSignalListener("SIGINT", stop);
  Deno.addSignalListener("SIGTERM", stop);

  const output = new OutputWatch();
  const watching = [output.read(child.stdout), output.read(child.stderr)];
  const ended = new AbortController();
  const progress = showProgress(output, { signal: ended.signal, serve });
  const status = await child.status;
  Deno.removeSignalListener("SIGINT", stop);
  Deno.removeSignalListener("SIGTERM", stop);
  const seconds = (performance.now() - started) / 1000;
  ended.abort();
  await Promise.all([...watching, progress]);
  if (!status.success) {
    throw new Error(`busbar ended with exit code ${status.code}. Its output:\n${output.text}`);
  }
  const { size } = await Deno.stat(log);
  // With --serve the time is how long someone watched.
  const rate = serve ? undefined : { seconds, size };
  const address = output.address ?? "not seen";
  await printSummary(JSON.parse(await Deno.readTextFile(stats)), { rate, archive, address });
}

async function prepare(file: string | undefined, serve: boolean): Promise<Demo> {
  const demos = join(PROJECT, "dist/demo");
  await Deno.mkdir(demos, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: demos, prefix: "run_" });
  let log = join(folder, "access.log");
  if (file === undefined) await Deno.writeTextFile(log, sampleLog());
  else log = await readableFile(file);
  const archive = join(folder, "archive");
  const stats = join(folder, "stats.json");
  const config = join(folder, "busbar.yaml");
  await Deno.mkdir(archive);
  await Deno.writeTextFile(
    config,
    stringify({
      data_dir: join(folder, "data"),
      server: { port: 0 },
      plugins: { directories: [join(PROJECT, "dist/plugins")] },
      pipelines: {
        web: {
          sources: { access: { use: "file-tail/tail", config: { paths: [log], once: !serve } } },
          processors: { parsed: { use: "access-log/parse", from: ["access"] } },
          reactions: {
            archive: {
              use: "gzip-archive/archive",
              from: ["parsed"],
              config: { directory: archive },
            },
            stats: {
              use: "builtin/stats",
              from: ["parsed"],
              config: { group_by: "status", file: stats },
            },
          },
        },
      },
    }),
  );
  return { log, archive, stats, config };
}

async function readableFile(file: string): Promise<string> {
  try {
    if (!(await Deno.stat(file)).isFile) throw new Error("it is not a file");
    (await Deno.open(file)).close();
    return resolve(file);
  } catch (error) {
    throw new Error(`Cannot read log "${file}": ${(error as Error).message}`, { cause: error });
  }
}

/** What the child prints: the admin address is looked for in it, the end is kept for an error message. */
class OutputWatch {
  text = "";
  address: string | undefined;

  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      this.text = (this.text + chunk).slice(-8192);
      this.address ??= /https?:\/\/(?:127\.0\.0\.1|localhost|\[::1\]):\d+(?=\D)/.exec(this.text)
        ?.[0];
    }
  }
}

async function showProgress(
  output: OutputWatch,
  { signal, serve }: { signal: AbortSignal; serve: boolean },
): Promise<void> {
  let told = false;
  let before = "";
  while (!signal.aborted) {
    await Promise.race([
      new Promise((wake) => setTimeout(wake, POLL_MS)),
      new Promise((wake) => signal.addEventListener("abort", wake, { once: true })),
    ]);
    if (!output.address || signal.aborted) continue;
    if (!told) {
      console.log(`demo: admin API at ${output.address}` + (serve ? ", Ctrl-C stops" : ""));
      told = true;
    }
    const line = await progressLine(output.address, signal);
    if (line && line !== before) console.log(`demo: ${line}`);
    before = line ?? before;
  }
}

/** One line on all pipelines, or `undefined` where the API does not answer, as at the end. */
async function progressLine(address: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(`${address}/api/v1/pipelines`, { signal });
    const pipelines = await response.json() as PipelineView[];
    return pipelines.map(({ id, status, components }) => {
      const sources = components.filter(({ kind }) => kind === "source");
      const read = sources.reduce((sum, { eventsOut }) => sum + eventsOut, 0);
      return `pipeline ${id} ${status}, ${read.toLocaleString("en")} events read`;
    }).join("; ");
  } catch {
    return undefined;
  }
}

interface SummaryOptions {
  rate: { seconds: number; size: number } | undefined;
  archive: string;
  address: string;
}

async function printSummary({ events, groups }: Stats, options: SummaryOptions): Promise<void> {
  const { rate, archive, address } = options;
  const segments: string[] = [];
  for await (const { name } of Deno.readDir(archive)) if (name.endsWith(".gz")) segments.push(name);
  console.log(`\nEvents    ${events}`);
  if (rate) {
    const perSecond = Math.round(events / rate.seconds).toLocaleString("en");
    const megabytes = (rate.size / 1e6 / rate.seconds).toFixed(1);
    console.log(`Time      ${rate.seconds.toFixed(2)} s, from the start of busbar to its end`);
    console.log(`Rate      ${perSecond} events/s, ${megabytes} MB/s of log`);
  }
  console.log(`Archive   ${relative(Deno.cwd(), archive) || "."} (files: ${segments.length})`);
  console.log(`Admin     ${address} while it ran`);
  console.log("By status");
  for (const [status, count] of Object.entries(groups).sort()) console.log(`  ${status}  ${count}`);
}

if (import.meta.main) {
  await main("demo", async () => {
    const serve = Deno.args.includes("--serve");
    const rest = Deno.args.filter((arg) => arg !== "--serve");
    const option = rest.find((arg) => arg.startsWith("-"));
    if (option || rest.length > 1) {
      throw new Error(
        `Cannot run: unknown argument "${option ?? rest[1]}", use: scripts/demo [FILE] [--serve]`,
      );
    }
    await demo(rest[0], serve);
  });
}
