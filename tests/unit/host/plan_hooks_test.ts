import assert from "node:assert/strict";
import { formatDiagnostic } from "../../../src/config/diagnostic.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { makePlan } from "../../../src/host/plan.ts";

Deno.test("settings of built-in hooks that contradict each other are found before a start", async () => {
  const text = `plugins: { directories: [] }
http:
  hooks:
    - use: builtin/cors
    - use: builtin/auth
      config: { jwt: { algorithms: [HS256, RS256], secret: 0123456789abcdef0123456789abcdef } }
    - use: builtin/rate_limit
      config: { by: header }
    - use: builtin/auth
      id: key
      config:
        jwt: { algorithms: [RS256], public_key: nonsense }
`;
  const loaded = await loadConfig({ path: "busbar.yaml", text, env: {} });
  const { diagnostics } = await makePlan(loaded);
  assert.deepEqual(diagnostics.map((one) => formatDiagnostic(one).split("\n")[0]), [
    'busbar.yaml:6:36: error: Cannot use hook "auth": jwt.secret is for HS256, HS384 and HS512, not for HS256, RS256',
    'busbar.yaml:8:21: error: Cannot use hook "rate_limit": by: "header" needs the name of one in "header"',
    'busbar.yaml:12:49: error: Cannot use hook "key": jwt.public_key is no key for RS256: "spki" must be SPKI formatted string',
  ]);
});
