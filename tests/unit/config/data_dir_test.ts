import assert from "node:assert/strict";
import { defaultDataDir } from "../../../src/config/data_dir.ts";

Deno.test("data goes to the system's folder for root or who may write there", async () => {
  const systemFolder = await Deno.makeTempDir();
  try {
    assert.equal(defaultDataDir({}, { uid: 1000, systemFolder }), systemFolder);
    assert.equal(defaultDataDir({}, { uid: 0 }), "/var/lib/busbar");
  } finally {
    await Deno.remove(systemFolder);
  }
});

Deno.test("data of others goes to their folder for state", () => {
  const machine = { uid: 1000, systemFolder: "/nowhere/busbar" };
  const home = { HOME: "/home/ann" };
  assert.equal(defaultDataDir({ ...home, XDG_STATE_HOME: "/state" }, machine), "/state/busbar");
  assert.equal(
    defaultDataDir({ ...home, XDG_STATE_HOME: "state" }, machine),
    "/home/ann/.local/state/busbar",
  );
  assert.equal(defaultDataDir(home, machine), "/home/ann/.local/state/busbar");
});
