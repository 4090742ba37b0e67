import { errorAnswer, type Exchange, type HttpHook } from "../exchange.ts";
import { basicCheck, type BasicSettings } from "./auth_basic.ts";
import { hmacCheck, type HmacSettings } from "./auth_hmac.ts";
import type { JwtSettings } from "./auth_jwt.ts";

interface Settings {
  jwt?: JwtSettings;
  hmac?: HmacSettings;
  basic?: BasicSettings;
}

/** Who asks; else why nobody is let in. Undefined when the request says nothing of this kind. */
export type Check = (
  exchange: Exchange,
) => Promise<{ subject: string } | { refused: string } | undefined>;

/** The header that tells plugins who asks. What a client sends under that name is thrown away. */
const SUBJECT = "busbar-subject";

/** What is no plain ASCII, and "%", as in a URL: a token may name its subject in any characters. */
function headerText(subject: string): string {
  return subject.toWellFormed().replace(/[^\x21-\x7e]|%/gu, (text) => encodeURIComponent(text));
}

/** Lets in whom one of the ways that are set up knows. */
export async function auth(config: Record<string, unknown>): Promise<HttpHook> {
  const { jwt, hmac, basic } = config as Settings;
  const ways: { check: Check; challenge?: string }[] = [];
  if (jwt !== undefined) {
    const { jwtCheck } = await import("./auth_jwt.ts");
    ways.push({ check: await jwtCheck(jwt), challenge: "Bearer" });
  }
  if (hmac !== undefined) ways.push({ check: await hmacCheck(hmac) });
  if (basic !== undefined) {
    const realm = basic.realm.replace(/["\\]/g, "");
    ways.push({
      check: await basicCheck(basic),
      challenge: `Basic realm="${realm}", charset="UTF-8"`,
    });
  }
  if (ways.length === 0) throw new Error("it lets nobody in: set up jwt, hmac or basic");
  const challenges = ways.flatMap(({ challenge }) => challenge ?? []);
  return {
    async before(exchange) {
      let why = "no credentials";
      for (const { check } of ways) {
        const result = await check(exchange);
        if (result === undefined) continue;
        if ("subject" in result) {
          exchange.subject = result.subject;
          exchange.headers.set(SUBJECT, headerText(result.subject));
          return undefined;
        }
        why = result.refused;
      }
      const answer = errorAnswer(401, { code: "Unauthorized", message: `Not let in: ${why}` });
      for (const challenge of challenges) answer.headers.append("www-authenticate", challenge);
      return answer;
    },
  };
}
