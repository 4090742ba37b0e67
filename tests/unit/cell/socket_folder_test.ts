import assert from "node:assert/strict";
import { join } from "node:path";
import { socketFolder } from "../../../src/cell/socket_folder.ts";

Deno.test("sockets lie in the data folder, private, each with its own path; old ones are removed", async () => {
  const data = await Deno.makeTempDir();
  try {
    const folder = join(data, "sockets");
    await Deno.mkdir(folder, { mode: 0o755 });
    await Deno.writeTextFile(join(folder, "4194999-3.sock"), "");
    await Deno.writeTextFile(join(folder, `${Deno.ppid}-3.sock`), "");
    const sockets = socketFolder(data);
    assert.equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
    assert.notEqual(sockets.next(), sockets.next());
    assert.equal(sockets.next(), join(folder, `${Deno.pid}-2.sock`));
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names, [`${Deno.ppid}-3.sock`], "that of a living host stays");
    sockets.remove();
    await Deno.stat(folder);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});

Deno.test("a data folder whose path is too long for sockets gets a short private folder elsewhere", async () => {
  const data = await Deno.makeTempDir();
  try {
    const long = join(data, "x".repeat(120));
    const sockets = socketFolder(long);
    const path = sockets.next();
    assert.ok(path.length < 108, path);
    assert.equal((await Deno.stat(join(path, ".."))).mode! & 0o777, 0o700);
    const listener = Deno.listen({ transport: "unix", path });
    listener.close();
    sockets.remove();
    await assert.rejects(Deno.stat(join(path, "..")), Deno.errors.NotFound);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
