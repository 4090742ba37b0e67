import assert from "node:assert/strict";
import {
  CALL_NUMBER,
  type CallName,
  CrashState,
  RecorderHeaderLayout,
  RecorderLibraryLayout,
} from "../../../ffi/recorder_layout.ts";
import { blame, type EndedCell, type LastExit } from "../../../src/cell/blame.ts";
import { componentPlaces, planCells } from "../../../src/cell/cell_plan.ts";
import { CellRecorder, createRecorder, planRecorder } from "../../../ffi/flight_recorder.ts";
import { RecorderReader } from "../../../src/cell/recorder_reader.ts";
import { component, pipeline, plugin } from "./places.ts";

// Once here, so that no test is taken for the one that left the C library open.
createRecorder(planRecorder(0, 0)).close();

const PLACES = componentPlaces(
  planCells([
    pipeline("web", [
      component("access", "source", "file-tail/tail"),
      component("numbers", "source", "builtin/generate"),
      component("archive", "reaction", "gzip-archive/archive"),
    ]),
  ], "/data")[0]!.pipelines,
);
const PLUGINS = [plugin("file-tail", "1.0.0"), plugin("gzip-archive", "1.2.0")];
const AT = new Date("2026-01-02T03:04:05Z");
const SEGV = { code: 139, signal: "SIGSEGV" };

interface Death extends Partial<Pick<EndedCell, "killed" | "failure" | "plugins">> {
  status: EndedCell["status"];
  /** Component that was inside a call. */
  inside?: [component: number, call: CallName, sequence: number];
  crash?: {
    state?: number;
    signal?: number;
    code?: number;
    sender?: number;
    thread?: number;
    /** 1 + index. */
    component?: number;
    library?: string;
  };
}

/** Writes down what a dying cell would, and asks for the verdict. */
function verdict(death: Death): LastExit {
  const plan = planRecorder(PLACES.length, 2);
  const file = createRecorder(plan);
  try {
    const { inside, crash } = death;
    if (inside) {
      new CellRecorder(file.buffer).component(inside[0]).enter(CALL_NUMBER[inside[1]], inside[2]);
    }
    if (crash) {
      const view = new DataView(file.buffer);
      const { offset } = RecorderHeaderLayout;
      view.setUint32(offset.crash_state, crash.state ?? CrashState.SIGNAL, true);
      view.setInt32(offset.crash_signal, crash.signal ?? 11, true);
      view.setInt32(offset.crash_code, crash.code ?? 1, true);
      view.setUint32(offset.crash_sender, crash.sender ?? 0, true);
      view.setUint32(offset.crash_thread, crash.thread ?? 4411, true);
      view.setUint32(offset.crash_component, crash.component ?? 0, true);
      if (crash.library !== undefined) {
        const at = plan.librariesAt + RecorderLibraryLayout.offset.path;
        const path = new TextEncoder().encode(crash.library).slice(-239);
        new Uint8Array(file.buffer, at, path.length).set(path);
        view.setUint32(offset.crash_library, 1, true);
      }
    }
    return blame({
      at: AT,
      places: PLACES,
      plugins: PLUGINS,
      ...death,
      reader: new RecorderReader(file.buffer, plan),
    });
  } finally {
    file.close();
  }
}

Deno.test("the library of a crash is the culprit, and the call of another component its context", () => {
  assert.deepEqual(
    verdict({
      status: SEGV,
      inside: [0, "poll", 8812],
      crash: { library: `${PLUGINS[1]!.directory}/libz.so.1` },
    }),
    {
      signal: "SIGSEGV",
      code: 139,
      reason: "crash",
      culprit: "gzip-archive 1.2.0",
      pipeline: "web",
      component: "access",
      call: "poll",
      sequence: 8812,
      thread: 4411,
      at: "2026-01-02T03:04:05.000Z",
      message:
        "plugin gzip-archive 1.2.0 crashed, SIGSEGV, thread 4411, while source access.tail " +
        "was in poll, sequence 8812",
    },
  );
});

Deno.test("a library whose path is too long for the recorder is known by its end", () => {
  const long = plugin("long-path");
  long.directory = `/${"d".repeat(300)}`;
  long.library = `${long.directory}/lib.so`;
  const exit = verdict({ status: SEGV, plugins: [long], crash: { library: long.library } });
  assert.equal(exit.culprit, "long-path 1.0.0");
});

Deno.test("without a library, the component whose call the thread was in is the culprit", () => {
  const exit = verdict({
    status: { code: 134, signal: "SIGABRT" },
    inside: [2, "write", 5],
    crash: { signal: 6, component: 3 },
  });
  assert.equal(exit.culprit, "gzip-archive 1.2.0");
  assert.match(
    exit.message,
    /crashed, SIGABRT, .*reaction archive.archive was in write, sequence 5/,
  );
});

Deno.test("a crash outside of all plugins and calls has no culprit", () => {
  const exit = verdict({ status: SEGV, crash: {} });
  assert.equal(exit.culprit, null);
  assert.equal(exit.component, null);
  assert.match(
    exit.message,
    /^cell crashed outside of plugins, address 0x0, SIGSEGV, thread 4411$/,
  );
});

Deno.test("a signal that somebody sent has no culprit, whatever was being called", () => {
  const exit = verdict({
    status: SEGV,
    inside: [0, "poll", 1],
    crash: { code: 0, sender: 77, component: 1, library: PLUGINS[0]!.library },
  });
  assert.equal(exit.culprit, null);
  assert.equal(exit.reason, "killed");
  assert.match(
    exit.message,
    /^cell was killed by SIGSEGV sent by pid 77, while source access.tail/,
  );
});

Deno.test("a fault that was noted but survived does not explain a later SIGKILL", () => {
  const status = { code: 137, signal: "SIGKILL" };
  const exit = verdict({ status, crash: { library: PLUGINS[0]!.library } });
  assert.equal(exit.culprit, null);
  assert.equal(
    exit.message,
    "cell was killed by SIGKILL (from outside, or by the kernel's OOM killer)",
  );
});

Deno.test("SIGKILL in the middle of a call points at its plugin", () => {
  const exit = verdict({ status: { code: 137, signal: "SIGKILL" }, inside: [0, "start", 0] });
  assert.equal(exit.culprit, "file-tail 1.0.0");
  assert.match(exit.message, /by plugin file-tail 1.0.0, from outside, .*was in start$/);
});

Deno.test("exit() and _exit() are named with code and call", () => {
  const called = verdict({
    status: { code: 3, signal: null },
    inside: [0, "start", 0],
    crash: { state: CrashState.EXIT, signal: 0, component: 1 },
  });
  assert.equal(called.culprit, "file-tail 1.0.0");
  assert.equal(
    called.message,
    "plugin file-tail 1.0.0 called exit(3) in start of source access.tail",
  );
  const hidden = verdict({ status: { code: 4, signal: null }, inside: [1, "poll", 9] });
  assert.equal(hidden.culprit, "builtin");
  assert.match(hidden.message, /ended the process with code 4 in poll of source numbers.generate/);
  const plain = verdict({ status: { code: 1, signal: null } });
  assert.equal(plain.culprit, null);
  assert.equal(plain.message, "cell ended with code 1, though nobody told it to");
});

Deno.test("a call that hung is its plugin's fault", () => {
  const exit = verdict({
    status: { code: 137, signal: "SIGKILL" },
    inside: [2, "flush", 0],
    killed: { reason: "hang", message: "call did not return within 500 ms", component: 2 },
  });
  assert.equal(exit.culprit, "gzip-archive 1.2.0");
  assert.deepEqual([exit.component, exit.call, exit.reason], ["archive", "flush", "hang"]);
  assert.match(exit.message, /: call did not return within 500 ms, while reaction archive/);
});

Deno.test("a limit is the fault of the only plugin in the cell, and of none where there are two", () => {
  const death = {
    status: { code: 137, signal: "SIGKILL" },
    killed: { reason: "limit", message: "memory limit exceeded: 1.2 GiB of 1 GiB" },
  } as const;
  assert.equal(verdict(death).culprit, null);
  const exit = verdict({ ...death, plugins: [PLUGINS[0]!] });
  assert.equal(exit.culprit, "file-tail 1.0.0");
  assert.equal(exit.message, "plugin file-tail 1.0.0: memory limit exceeded: 1.2 GiB of 1 GiB");
});

Deno.test("what a cell says before it ends itself is taken from its words, also when it ends slowly", () => {
  const failure = {
    pipeline: "web",
    component: "archive",
    plugin: "gzip-archive",
    call: "create",
    code: "CreateFailed",
    message: 'Cannot open "/archive"',
  } as const;
  const slow = { reason: "protocol", message: "cell closed its connection and went on" } as const;
  for (
    const exit of [
      verdict({ status: { code: 70, signal: null }, failure }),
      verdict({ status: { code: 137, signal: "SIGKILL" }, failure, killed: slow }),
    ]
  ) {
    assert.equal(exit.culprit, "gzip-archive 1.2.0");
    assert.deepEqual([exit.component, exit.call, exit.reason], ["archive", "create", "fatal"]);
    assert.equal(
      exit.message,
      'plugin gzip-archive 1.2.0 failed in create of web.archive: Cannot open "/archive"',
    );
  }
});
