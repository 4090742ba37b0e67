import { join } from "node:path";
import { PROJECT } from "../../scripts/lib/files.ts";
import { follow } from "../support/tutorial.ts";

/** No registry: the pages say that none is needed. */
const OFFLINE = { CARGO_NET_OFFLINE: "true", GOPROXY: "off", GOFLAGS: "-mod=mod" };

for (const language of ["c", "cpp", "rust", "go"]) {
  Deno.test(`docs/tutorials/${language}.md leads from nothing to a running plugin`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "busbar_tutorial_" });
    try {
      const env = { ...OFFLINE, CARGO_HOME: join(folder, "cargo") };
      await follow(join(PROJECT, `docs/tutorials/${language}.md`), {
        folder,
        bin: join(PROJECT, "dist"),
        env,
      });
    } finally {
      // The Go tool makes the folders of its cache read-only.
      await new Deno.Command("chmod", { args: ["-R", "u+w", folder] }).output();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
