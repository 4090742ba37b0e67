import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { PROJECT } from "../../../scripts/lib/files.ts";

interface Attempt {
  packages: string;
  env?: Record<string, string>;
}

/** Runs a copy of scripts/setup as a user without root, with another list of packages. */
async function setup({ packages, env = {} }: Attempt): Promise<{ code: number; text: string }> {
  const root = await Deno.makeTempDir();
  try {
    for (const name of ["setup", "lib/env.sh", "lib/python_wheel.sh"]) {
      await Deno.mkdir(dirname(join(root, "scripts", name)), { recursive: true });
      await Deno.copyFile(join(PROJECT, "scripts", name), join(root, "scripts", name));
    }
    await Deno.writeTextFile(join(root, "scripts/lib/apt_packages.txt"), packages);
    await Deno.writeTextFile(join(root, "scripts/lib/empty.ts"), "export {};\n");
    for (const tool of ["cross_compiler", "arrow"]) {
      await Deno.writeTextFile(join(root, `scripts/lib/${tool}.sh`), `get_${tool}() { :; }\n`);
    }
    await Deno.writeTextFile(join(root, "deno.json"), "{}");
    await Deno.mkdir(join(root, "bin"));
    const programs = { id: "echo 1000", "apt-get": "exit 99" };
    for (const [name, line] of Object.entries(programs)) {
      await Deno.writeTextFile(join(root, "bin", name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    }
    const path = [join(root, "bin"), dirname(Deno.execPath()), Deno.env.get("PATH")].join(":");
    const { code, stdout, stderr } = await new Deno.Command(join(root, "scripts/setup"), {
      env: { CI: "", ...env, PATH: path },
      stdin: "null",
    }).output();
    return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const INSTALL =
  "sudo apt-get update && sudo apt-get install -y --no-install-recommends busbar-nothing";

Deno.test("setup prints the exact command and fails where a needed package is missing", async () => {
  const { code, text } = await setup({
    packages: "busbar-nothing command:busbar-nothing\ngcc command:gcc\n",
  });
  assert.equal(code, 1);
  assert.ok(text.includes(`Use: ${INSTALL}\n`), text);
});

Deno.test("setup goes on without an optional package, but not in CI", async () => {
  const packages = "# comment\n\nbusbar-nothing header:busbar_nothing.h optional\n";
  const { code, text } = await setup({ packages });
  assert.equal(code, 0, text);
  assert.ok(text.includes(INSTALL), text);
  assert.equal((await setup({ packages, env: { CI: "true" } })).code, 1);
});

Deno.test("setup says nothing where nothing is to do", async () => {
  assert.deepEqual(await setup({ packages: "gcc command:gcc\nlibc6-dev header:stdlib.h\n" }), {
    code: 0,
    text: "",
  });
});
