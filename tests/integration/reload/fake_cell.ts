/** A cell that does what its first component's settings say: no plugin, but the real process, socket and recorder. */
import { CellRecorder } from "../../../ffi/flight_recorder.ts";
import { MemoryFile } from "../../../ffi/memory_file.ts";
import { connectChannel } from "../../../src/cell/channel.ts";
import type { CellMessage, HostMessage } from "../../../src/cell/protocol.ts";

/** What it does when it is told something; it obeys when nothing is said. */
export type Deed = "obey" | "hang" | "die" | "fail" | "complete";

/** By the type of the host's message. */
export interface Script {
  /** Each thing that it did is a line of this file. */
  journal: string;
  version: number;
  deeds?: Partial<Record<HostMessage["type"], Deed>>;
}

const ANSWERS: Partial<Record<HostMessage["type"], CellMessage["type"]>> = {
  activate: "ready",
  resume: "ready",
  pause: "paused",
};

if (import.meta.main) await run(Deno.args);

async function run([, socket, recorderPath, size]: string[]): Promise<never> {
  const file = MemoryFile.open(recorderPath!, Number(size));
  const recorder = new CellRecorder(file.buffer);
  setInterval(() => recorder.beat(), 50);
  const channel = await connectChannel<HostMessage, CellMessage>(socket!);
  await channel.send({ type: "hello", pid: Deno.pid, build: "b1" });
  let script: Script | undefined;
  for await (const message of channel) {
    if (message.type === "log_level") continue;
    if (message.type === "init") {
      script = message.spec.pipelines[0]!.pipeline.components[0]!.config as unknown as Script;
    }
    const { journal, version, deeds } = script!;
    const { pipeline } = { pipeline: "web" };
    const note = (text: string) =>
      Deno.writeTextFileSync(journal, `${version} ${text}\n`, { append: true });
    const deed = deeds?.[message.type] ?? "obey";
    note(deed === "obey" ? message.type : `${message.type}:${deed}`);
    if (deed === "hang") continue;
    if (deed === "die") Deno.kill(Deno.pid, "SIGKILL");
    if (deed === "fail") {
      const call = message.type === "init" ? "create" : "restore";
      await channel.send({
        type: "fatal",
        failure: {
          pipeline,
          component: "in",
          plugin: "fake",
          call,
          code: "CreateFailed",
          message: "it does not want to",
        },
      });
      recorder.cleanExit();
      Deno.exit(70);
    }
    if (message.type === "stop") {
      recorder.cleanExit();
      Deno.exit(0);
    }
    if (deed === "complete") {
      await channel.send({ type: "pipeline", id: pipeline, state: "completed" });
    }
    const standby = message.type === "init" && message.standby;
    const answer = message.type === "init"
      ? (standby ? "prepared" : "ready")
      : ANSWERS[message.type];
    await channel.send({ type: answer } as CellMessage);
  }
  return Deno.exit(0);
}
