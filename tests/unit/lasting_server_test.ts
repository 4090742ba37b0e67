import assert from "node:assert/strict";
import { LastingServer } from "../../src/lasting_server.ts";
import { waitFor } from "../support/busbar.ts";
import { ask } from "../support/http.ts";

const MODULE = new URL("../../src/lasting_server.ts", import.meta.url).href;
const PROGRAM = `
  import { LastingServer } from "${MODULE}";
  const answer = () => new Response("here");
  const server = new LastingServer({ hostname: "127.0.0.1", port: 0 }, {
    listen: ({ hostname, port }) => Deno.serve({ hostname, port, onListen() {} }, answer),
    again: () => console.log("again"),
  });
  console.log(server.addr.port);
`;

Deno.test("a server listens again after more connections than files may be open", async () => {
  await using process = new Deno.Command("sh", {
    args: ["-c", 'ulimit -n 64; exec "$0" eval "$1"', Deno.execPath(), PROGRAM],
    stdout: "piped",
  }).spawn();
  let printed = "";
  const reading = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) printed += text;
  })();
  const port = Number(await waitFor(() => /^(\d+)\n/.exec(printed)?.[1]));
  const connections: Deno.TcpConn[] = [];
  for (let refused = false; !refused;) {
    try {
      connections.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch {
      refused = true;
    }
  }
  // One of them stays.
  const [first, ...others] = connections;
  for (const connection of others) connection.close();
  await waitFor(() => printed.includes("again"));
  assert.equal((await ask(`http://127.0.0.1:${port}/`)).text, "here");
  first!.close();
  process.kill("SIGTERM");
  await reading;
});

Deno.test("a server that is closed stays closed", async () => {
  const server = new LastingServer({ hostname: "127.0.0.1", port: 0 }, {
    listen: ({ hostname, port }) =>
      Deno.serve({ hostname, port, onListen() {} }, () => new Response("here")),
    again: () => assert.fail("it did not end by itself"),
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  assert.equal((await ask(url)).text, "here");
  await server.close();
  await assert.rejects(ask(url));
});
