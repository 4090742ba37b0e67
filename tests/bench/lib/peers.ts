import { basename, join } from "node:path";
import { statOrNothing } from "../../../scripts/lib/files.ts";
import type { Job, RunPlan } from "./component_jobs.ts";

/** Another program that does the same jobs. */
export interface Peer {
  name: string;
  /** Its name on PATH. */
  command: string;
  /** What runs a job; undefined for one that it cannot do. */
  plan(job: Job, run: RunPlan): PeerPlan | undefined;
}

export interface PeerPlan {
  /** Name of the configuration's file, and its text. */
  file: string;
  config: string;
  /** Arguments before the path of the configuration. */
  args: string[];
  /** Whether it reads the file with the input itself, and does not end by itself behind it. */
  stays?: boolean;
}

const vector: Peer = {
  name: "vector",
  command: "vector",
  plan(job, { output, folder, port }) {
    if (job.feed === "own") return undefined;
    const lines = job.feed === "stdin";
    const source = lines ? { type: "stdin", max_length: 1_048_576 } : {
      type: "http_server",
      address: `127.0.0.1:${port}`,
      path: "/events",
      framing: { method: "newline_delimited" },
      decoding: { codec: "bytes" },
    };
    const transforms = {
      parsed: {
        type: "remap",
        inputs: ["in"],
        source: ".value = parse_json!(string!(.message)).value",
      },
      some: { type: "filter", inputs: ["parsed"], condition: ".value < 500" },
    };
    const config = {
      data_dir: folder,
      sources: { in: source },
      ...lines ? { transforms } : {},
      sinks: {
        out: {
          type: "file",
          inputs: [lines ? "some" : "in"],
          path: output,
          encoding: { codec: "text" },
          acknowledgements: { enabled: true },
        },
      },
    };
    return { file: "vector.json", config: JSON.stringify(config), args: ["--quiet", "--config"] };
  },
};

/** It has two names: the newer one has other arguments. */
function benthos(name: string, args: string[]): Peer {
  return {
    name,
    command: name,
    plan(job, { output, port }) {
      if (job.feed === "own") return undefined;
      const lines = job.feed === "stdin";
      const config = {
        http: { enabled: false },
        logger: { level: "ERROR" },
        input: lines ? { stdin: { scanner: { lines: {} } } } : {
          http_server: { address: `127.0.0.1:${port}`, path: "/events" },
        },
        pipeline: {
          processors: lines
            ? [{ mapping: "root = if this.value >= 500 { deleted() }" }]
            : [{ unarchive: { format: "lines" } }],
        },
        output: { file: { path: output, codec: "lines" } },
      };
      return { file: `${name}.json`, config: JSON.stringify(config), args };
    },
  };
}

/** Its filters compare texts only, hence the function in Lua. Its input for requests takes no lines of JSON. */
const fluentBit: Peer = {
  name: "fluent-bit",
  command: "fluent-bit",
  plan(job, { output, folder }) {
    if (job.feed !== "stdin") return undefined;
    const code =
      "function some(tag, time, record) if record.value < 500 then return 0, time, record end return -1, time, record end";
    const config = {
      service: { flush: 0.1, log_level: "error" },
      pipeline: {
        inputs: [{ name: "stdin", buffer_size: 1_048_576 }],
        filters: [{ name: "lua", match: "*", call: "some", code }],
        outputs: [{
          name: "file",
          match: "*",
          path: folder,
          file: basename(output),
          format: "plain",
        }],
      },
    };
    return { file: "fluent_bit.yaml", config: JSON.stringify(config), args: ["--config"] };
  },
};

/** It has no standard input, hence the file. Only the distribution with all components can do the jobs, which may have either name. */
function otelcol(name: string): Peer {
  return {
    name,
    command: name,
    plan(job, { input, output, port }) {
      if (job.feed === "own") return undefined;
      const lines = job.feed === "stdin";
      const receiver = lines ? "filelog" : "webhookevent";
      const config = {
        extensions: { text_encoding: {} },
        receivers: {
          [receiver]: lines ? { include: [input], start_at: "beginning" } : {
            endpoint: `127.0.0.1:${port}`,
            path: "/events",
            split_logs_at_newline: true,
          },
        },
        // What a condition holds for is left out.
        processors: lines
          ? { filter: { logs: { log_record: ['ParseJSON(body)["value"] >= 500'] } } }
          : {},
        exporters: { file: { path: output, encoding: "text_encoding", flush_interval: "100ms" } },
        service: {
          extensions: ["text_encoding"],
          telemetry: { logs: { level: "error" }, metrics: { level: "none" } },
          pipelines: {
            logs: {
              receivers: [receiver],
              processors: lines ? ["filter"] : [],
              exporters: ["file"],
            },
          },
        },
      };
      const text = JSON.stringify(config);
      return { file: `${name}.yaml`, config: text, args: ["--config"], stays: lines };
    },
  };
}

export const PEERS: Peer[] = [
  vector,
  benthos("benthos", ["-c"]),
  benthos("redpanda-connect", ["run"]),
  fluentBit,
  otelcol("otelcol"),
  otelcol("otelcol-contrib"),
];

/** The programs of {@linkcode PEERS} that are on PATH, with their paths. */
export async function findPeers(): Promise<{ peer: Peer; path: string }[]> {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  const found: { peer: Peer; path: string }[] = [];
  for (const peer of PEERS) {
    for (const folder of folders) {
      const path = join(folder, peer.command);
      if (!(await statOrNothing(path))?.isFile) continue;
      found.push({ peer, path });
      break;
    }
  }
  return found;
}
