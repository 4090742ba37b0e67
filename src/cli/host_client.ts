import { loadConfig } from "../config/load.ts";
import { adminSocketPath } from "../admin/socket_path.ts";
import { HostLockError } from "../store/host_lock.ts";
import { defaultFile, readConfig } from "./config_file.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import type { GlobalOptions } from "./program.ts";
import { reported } from "./state_store.ts";

/** Options of the commands that steer a host. */
export interface HostOptions extends GlobalOptions {
  config?: string;
  dataDir?: string;
  url?: string;
}

/** A host, or the stores of one that does not run, which answers the same requests. */
export interface HostClient extends Disposable {
  /** What it answers. @throws {CommandError} with its message where that is an error, or when it cannot be reached */
  request<T>(path: string, body?: unknown, method?: "GET" | "POST"): Promise<T>;
  /** The answer as it is. @throws {CommandError} when it cannot be reached */
  send(path: string, init: RequestInit): Promise<Response>;
}

const PROBE_MS = 5_000;
/** Of a URL whose host does not matter, since the socket leads there. */
const SOCKET_URL = "http://localhost";

/**
 * The host at `--url`, else the one on the data folder that `--data-dir`, else `-c` names, else that of `$BUSBAR_URL`, else of the default
 * configuration. With `offline`, its stores are taken where no host runs.
 *
 * @throws {CommandError} when there is none
 */
export async function findHost(
  options: HostOptions,
  { offline = false } = {},
): Promise<HostClient> {
  const url = options.url ??
    (options.dataDir === undefined && options.config === undefined
      ? Deno.env.get("BUSBAR_URL") || undefined
      : undefined);
  if (url !== undefined) return await overHttp(url);
  const folder = await dataDirectory(options);
  const socket = adminSocketPath(folder);
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } });
  const ask = (path: string, init: RequestInit) => fetch(SOCKET_URL + path, { ...init, client });
  const failure = await probe(ask);
  if (failure === undefined) return clientOf(ask, `"${socket}"`, () => client.close());
  client.close();
  if (!offline) {
    throw new CommandError(
      ExitCode.FAILURE,
      `Cannot reach a busbar on data folder "${folder}": no answer on "${socket}" (${failure}); ` +
        "start it, or name another one with -c, --data-dir or --url",
    );
  }
  return await takeStores(folder, socket);
}

/** Where the host that is meant keeps its data. */
export async function dataDirectory(options: HostOptions): Promise<string> {
  if (options.dataDir !== undefined) return options.dataDir;
  const loaded = options.config === undefined && defaultFile() === undefined
    ? await loadConfig({ env: Deno.env.toObject() })
    : await readConfig(options);
  return loaded.config.data_dir;
}

async function overHttp(url: string): Promise<HostClient> {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new CommandError(
      ExitCode.USAGE,
      `Cannot read URL "${url}": expected one such as http://127.0.0.1:7700`,
    );
  }
  const base = url.replace(/\/$/, "");
  const ask = (path: string, init: RequestInit) =>
    fetch(base + path, { ...init, redirect: "error" });
  const failure = await probe(ask);
  if (failure === undefined) return clientOf(ask, base, () => {});
  throw new CommandError(ExitCode.FAILURE, `Cannot reach busbar at ${base}: ${failure}`);
}

async function takeStores(folder: string, socket: string): Promise<HostClient> {
  const { openOfflineHost } = await import("../host/offline_host.ts");
  const host = reported(folder, () => {
    try {
      return openOfflineHost(folder);
    } catch (error) {
      if (!(error instanceof HostLockError)) throw error;
      throw new CommandError(
        ExitCode.FAILURE,
        `${error.message}. It does not answer on "${socket}"; if it is starting or stopping, try again`,
      );
    }
  });
  return clientOf((path, init) => host.request(path, init), folder, () => host.close());
}

type Ask = (path: string, init: RequestInit) => Response | Promise<Response>;

/** Why nothing answers, or undefined. */
async function probe(ask: Ask): Promise<string | undefined> {
  try {
    const response = await ask("/healthz", { signal: AbortSignal.timeout(PROBE_MS) });
    await response.body?.cancel();
    return response.ok ? undefined : `status ${response.status}`;
  } catch (error) {
    const { message } = error as Error;
    return message.replace(/^.*?\): |client error \(Connect\): | \(os error.*$/gs, "");
  }
}

function clientOf(ask: Ask, place: string, close: () => void): HostClient {
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    try {
      return await ask(path, init);
    } catch (error) {
      throw new CommandError(
        ExitCode.FAILURE,
        `Cannot ask busbar at ${place}: ${(error as Error).message}`,
      );
    }
  };
  return {
    send,
    async request<T>(path: string, body?: unknown, method: "GET" | "POST" = "GET"): Promise<T> {
      const json = body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
      const response = await send(path, { method, ...json });
      const answer = await response.json();
      if (response.ok) return answer;
      const message = answer?.error?.message ?? `status ${response.status}`;
      throw new CommandError(ExitCode.FAILURE, message);
    },
    [Symbol.dispose]: close,
  };
}
