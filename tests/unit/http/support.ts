import { Exchange, type HttpAnswer, type HttpHook } from "../../../src/http/exchange.ts";

/** A request as the listener gives it to hooks. */
export function exchange(
  init: RequestInit & { url?: string; remote?: string } = {},
): Exchange {
  const { url = "http://localhost/path?a=1", remote = "192.0.2.1", ...rest } = init;
  const request = new Request(url, rest);
  return new Exchange(request, {
    id: "1",
    remote,
    read: async () => new Uint8Array(await request.arrayBuffer()),
  });
}

/** The status that the hook answers with; 0 when it lets the request go on. */
export async function statusOf(hook: HttpHook, request: Exchange): Promise<number> {
  return (await hook.before!(request))?.status ?? 0;
}

export const OK: HttpAnswer = { status: 200, headers: new Headers(), body: new Uint8Array(0) };

export function textOf({ body }: HttpAnswer): string {
  return new TextDecoder().decode(body);
}
