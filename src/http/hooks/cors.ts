import { SettingError } from "../../config/setting_error.ts";
import type { Exchange, HttpAnswer, HttpHook } from "../exchange.ts";

interface Settings {
  origins: string[];
  methods: string[];
  headers: string[];
  expose: string[];
  credentials: boolean;
  max_age: number;
}

/** Lets pages of other origins ask: answers preflight requests, and adds headers to answers. */
export function cors(config: Record<string, unknown>): HttpHook {
  const settings = config as unknown as Settings;
  if (settings.credentials && settings.origins.includes("*")) {
    throw new SettingError(
      ["credentials"],
      'credentials need named origins, "*" lets every page use them',
    );
  }
  return {
    before: (exchange) => isPreflight(exchange) ? preflight(settings, exchange) : undefined,
    after(exchange, answer) {
      allow(settings, exchange, answer.headers);
      if (settings.expose.length > 0 && answer.headers.has("access-control-allow-origin")) {
        answer.headers.set("access-control-expose-headers", settings.expose.join(", "));
      }
      return answer;
    },
  };
}

function isPreflight({ method, headers }: Exchange): boolean {
  return method === "OPTIONS" && headers.has("origin") &&
    headers.has("access-control-request-method");
}

function preflight(settings: Settings, { headers: asked }: Exchange): HttpAnswer {
  const headers = new Headers({
    "access-control-allow-methods": settings.methods.join(", "),
    "access-control-max-age": `${settings.max_age}`,
    vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
  });
  const wanted = settings.headers.includes("*")
    ? asked.get("access-control-request-headers")
    : settings.headers.join(", ");
  if (wanted) headers.set("access-control-allow-headers", wanted);
  return { status: 204, headers, body: new Uint8Array(0) };
}

/** Names the origin in the answer, if it may ask. */
function allow({ origins, credentials }: Settings, exchange: Exchange, headers: Headers): void {
  const origin = exchange.headers.get("origin");
  if (origins.includes("*")) return headers.set("access-control-allow-origin", "*");
  if (!/\borigin\b/i.test(headers.get("vary") ?? "")) headers.append("vary", "Origin");
  if (origin === null || !origins.includes(origin)) return;
  headers.set("access-control-allow-origin", origin);
  if (credentials) headers.set("access-control-allow-credentials", "true");
}
