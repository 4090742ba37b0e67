import { type Busbar, waitFor } from "./busbar.ts";

/** Address of the data-plane listener, once it listens. */
export async function httpAddress(busbar: Busbar): Promise<string> {
  return await waitFor(
    () => /^busbar answers requests on (\S+)$/m.exec(busbar.stderr)?.[1],
    { what: "the data-plane listener", busbar },
  );
}

/** What a request was answered with. */
export interface Answered {
  status: number;
  headers: Headers;
  text: string;
}

/** Sends a request and reads the whole answer. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000), ...init });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
