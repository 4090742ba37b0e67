import { basename, join } from "node:path";
import { listFiles, PROJECT } from "../../scripts/lib/files.ts";
import { followAlone, stepsOf } from "../support/tutorial.ts";

const FOLDER = join(PROJECT, "docs/components");
const ENV = { BUSBAR_SERVER__ENABLED: "false", BUSBAR_DATA_DIR: "data" };

for (const page of (await listFiles(FOLDER)).toSorted()) {
  // The others need a server or the time of day.
  const steps = stepsOf(await Deno.readTextFile(page));
  if (!steps.some(({ kind }) => kind === "file")) continue;
  Deno.test(
    `docs/components/${basename(page)}: its example does what it says`,
    () => followAlone(page, ENV),
  );
}
