import assert from "node:assert/strict";

/**
 * A process that gets orphans as process 1 would: it reaps those, and Deno still gets its own child's status. It prints
 * how many were reaped, the own child's code, and how many zombies it has left.
 */
const PROGRAM = `
  import { OrphanReaper } from "${new URL("../../../src/cell/orphan_reaper.ts", import.meta.url)}";
  const PR_SET_CHILD_SUBREAPER = 36;
  const libc = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  });
  libc.symbols.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
  const script = "for i in 1 2 3; do (exec sleep 0.05) & done; exit 7";
  const child = new Deno.Command("sh", { args: ["-c", script] }).spawn();
  const reaper = new OrphanReaper((pid) => pid === child.pid, 3_600_000);
  let reaped = 0;
  while (reaped < 3) {
    reaped += reaper.reap();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { code } = await child.status;
  let zombies = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync("/proc/" + name + "/stat");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" && parent === String(Deno.pid)) zombies++;
    } catch { /* gone */ }
  }
  console.log(JSON.stringify({ reaped, code, zombies }));
  reaper.close();
`;

Deno.test("OrphanReaper reaps adopted children and leaves Deno's own to Deno", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, PROGRAM);
    const output = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-config", file],
    }).output();
    const text = new TextDecoder().decode(output.stdout);
    assert.equal(output.code, 0, new TextDecoder().decode(output.stderr));
    assert.deepEqual(JSON.parse(text), { reaped: 3, code: 7, zombies: 0 });
  } finally {
    await Deno.remove(file);
  }
});
