/** One program in several roles; each imports only what it needs, since a cell has to start in milliseconds. */
const [role = "", ...args] = Deno.args;

switch (role) {
  case "__cell": {
    const { runCell } = await import("./src/cell/worker.ts");
    await runCell(args);
    break;
  }
  case "__validate": {
    const { runValidation } = await import("./src/host/validate_child.ts");
    await runValidation(args);
    break;
  }
  case "__test": {
    const { runTestChild } = await import("./src/config_test/child.ts");
    await runTestChild(args);
    break;
  }
  case "__conformance": {
    const { runStaticChild } = await import("./src/conformance/static_child.ts");
    await runStaticChild(args);
    break;
  }
  default: {
    const { runCli } = await import("./src/cli/cli.ts");
    Deno.exit(await runCli(Deno.args));
  }
}
