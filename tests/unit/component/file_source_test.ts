import assert from "node:assert/strict";
import { join } from "node:path";
import { ContentType, RecordFlag, Status } from "../../../ffi/layout.ts";
import { matchingPaths } from "../../../src/component/builtin/path_patterns.ts";
import { RecordReader } from "../../../src/event/reader.ts";
import { waitFor } from "../../support/busbar.ts";
import { type Host, withBatch, withBuiltin } from "./support.ts";

const QUICK = { rescan: "1ms", grace: "1ms" };

interface Line {
  text: string;
  cut: boolean;
  type: number;
  path: string | undefined;
}

/** A source that runs, and what it gave. */
class Tail {
  readonly lines: Line[] = [];
  position: Uint8Array = new Uint8Array(0);
  ended = false;
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  get texts(): string[] {
    return this.lines.map(({ text }) => text);
  }

  /** Polls once, into a batch of `limit` events. */
  async poll(limit = 100): Promise<void> {
    await withBatch({ limit, bytes: 256 * 1024 }, async (batch) => {
      const status = await this.host.instance.poll(batch);
      assert.ok(status >= 0, this.host.instance.error());
      this.ended = status === Status.DONE;
      const reader = new RecordReader().open(batch);
      while (reader.next()) {
        this.lines.push({
          text: new TextDecoder().decode(reader.payload),
          cut: (reader.flags & RecordFlag.TRUNCATED) !== 0,
          type: reader.contentType,
          path: Object.fromEntries(reader.attributes())["path"],
        });
      }
      if (batch.count > 0) this.position = batch.positionBuffer.slice(0, batch.positionLength);
    });
  }

  /** Polls until so many lines have come, or it has ended. */
  async until(count: number, limit = 100): Promise<string[]> {
    // Waits only where nothing has come.
    await waitFor(async () => {
      let before: number;
      do {
        before = this.lines.length;
        await this.poll(limit);
        if (this.lines.length >= count || this.ended) return true;
      } while (this.lines.length > before);
      return false;
    });
    return this.texts;
  }
}

async function withTail(
  config: Record<string, unknown>,
  options: { position?: Uint8Array },
  action: (tail: Tail) => Promise<void>,
): Promise<void> {
  await withBuiltin("source/file", { config: { ...QUICK, ...config } }, async (host) => {
    const position = options.position ?? new Uint8Array(0);
    host.instance.setResume({ position, acknowledged: [] });
    assert.equal(await host.instance.start(), Status.OK, host.instance.error());
    const tail = new Tail(host);
    try {
      await action(tail);
    } finally {
      await host.instance.stop();
    }
  });
}

async function withFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function add(path: string, text: string): void {
  Deno.writeTextFileSync(path, text, { append: true });
}

function numbers(from: number, to: number, prefix = ""): string[] {
  return Array.from({ length: to - from }, (_, i) => `${prefix}${from + i}`);
}

Deno.test("file with `once` gives every line of every file, also a last one without end, then ends", () =>
  withFolder(async (folder) => {
    add(join(folder, "a.log"), "one\r\n\ntwo\nthree is too long\n");
    add(join(folder, "b.log"), '{"n":1}\n\nlast');
    const paths = [join(folder, "*.log")];
    await withTail({ paths, once: true, max_line: 8, attributes: true }, {}, async (tail) => {
      const texts = ["one", "", "two", "three is", '{"n":1}', "", "last"];
      assert.deepEqual(await tail.until(Infinity, 2), texts);
      assert.ok(tail.ended);
      assert.deepEqual(
        tail.lines.map(({ cut }) => cut),
        texts.map((text) => text === "three is"),
      );
      assert.equal(tail.lines[0]!.path, join(folder, "a.log"));
      assert.equal(tail.lines[6]!.path, join(folder, "b.log"));
    });
    const ndjson = { paths: [join(folder, "b.log")], once: true, format: "ndjson" };
    await withTail(ndjson, {}, async (tail) => {
      assert.deepEqual(await tail.until(Infinity), ['{"n":1}', "last"]);
      assert.equal(tail.lines[0]!.type, ContentType.JSON);
    });
  }));

Deno.test("file resumes at a position with exactly what follows, in the same order, wherever it was stopped", () =>
  withFolder(async (folder) => {
    for (const name of ["a", "b", "c"]) {
      const text = numbers(0, name === "b" ? 30_000 : 40, `${name} ${".".repeat(60)}`);
      add(join(folder, `${name}.log`), text.join("\n"));
    }
    const config = { paths: [join(folder, "*.log")], once: true };
    let all: string[] = [];
    await withTail(config, {}, async (tail) => {
      all = await tail.until(Infinity);
    });
    assert.equal(all.length, 30_080);
    const lines: string[] = [];
    let position = new Uint8Array(0) as Uint8Array;
    for (let round = 1, ended = false; !ended; round++) {
      await withTail(config, { position }, async (tail) => {
        for (let i = 0; i < round && !tail.ended; i++) await tail.poll(1 + round * 7);
        lines.push(...tail.texts);
        if (tail.lines.length > 0) position = tail.position;
        ended = tail.ended;
      });
    }
    assert.deepEqual(lines, all);
  }));

Deno.test("file follows what is added, in pieces of lines, and files that appear", () =>
  withFolder(async (folder) => {
    const [a, b] = [join(folder, "a.log"), join(folder, "b.log")];
    add(a, "old\n");
    await withTail({ paths: [join(folder, "*.log")], from: "end" }, {}, async (tail) => {
      add(a, "one\nha");
      assert.deepEqual(await tail.until(1), ["one"]);
      add(a, "lf\n");
      assert.deepEqual(await tail.until(2), ["one", "half"]);
      add(b, "from the beginning\n");
      assert.deepEqual((await tail.until(3)).at(-1), "from the beginning");
      assert.equal(tail.ended, false);
    });
  }));

Deno.test("file reads a renamed file to its end before the new one of its name, also over a restart", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.log");
    add(path, "1\n2\n");
    let position = new Uint8Array(0) as Uint8Array;
    await withTail({ paths: [path] }, {}, async (tail) => {
      await tail.until(2);
      Deno.renameSync(path, `${path}.1`);
      add(`${path}.1`, "3\n");
      add(path, "5\n");
      add(`${path}.1`, "4\n");
      assert.deepEqual(await tail.until(5), ["1", "2", "3", "4", "5"]);
      position = tail.position;
    });
    add(path, "6\n");
    Deno.renameSync(path, `${path}.2`);
    add(path, "7\n");
    await withTail({ paths: [path] }, { position }, async (tail) => {
      assert.deepEqual(await tail.until(2), ["6", "7"]);
    });
  }));

Deno.test("file begins anew where a file was truncated, or written anew and longer than before", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.log");
    add(path, `${numbers(0, 100).join("\n")}\n`);
    let position = new Uint8Array(0) as Uint8Array;
    await withTail({ paths: [path] }, {}, async (tail) => {
      await tail.until(100);
      Deno.truncateSync(path);
      await tail.poll();
      add(path, "new\n");
      assert.deepEqual((await tail.until(101)).at(-1), "new");
      position = tail.position;
    });
    Deno.truncateSync(path);
    add(path, `${numbers(200, 300).join("\n")}\n`);
    await withTail({ paths: [path] }, { position }, async (tail) => {
      assert.deepEqual(await tail.until(100), numbers(200, 300));
    });
  }));

Deno.test("file gives the unended last line of a file that was deleted, and lets go of it", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.log");
    add(path, "one\nunended");
    await withTail({ paths: [path] }, {}, async (tail) => {
      assert.deepEqual(await tail.until(1), ["one"]);
      Deno.removeSync(path);
      assert.deepEqual(await tail.until(2), ["one", "unended"]);
      add(path, "again\n");
      assert.deepEqual((await tail.until(3)).at(-1), "again");
    });
  }));

Deno.test("file follows more files than it holds open, also over a restart", () =>
  withFolder(async (folder) => {
    const files = numbers(0, 400, `${folder}/`).map((path) => `${path}.log`);
    const addToAll = (text: string) => files.forEach((path, i) => add(path, `${text} ${i}\n`));
    const expected = (text: string) => numbers(0, 400, `${text} `).sort();
    const config = { paths: [join(folder, "*.log")] };
    let position = new Uint8Array(0) as Uint8Array;
    addToAll("first");
    await withTail(config, {}, async (tail) => {
      assert.deepEqual((await tail.until(400)).toSorted(), expected("first"));
      addToAll("second");
      assert.deepEqual((await tail.until(800)).slice(400).toSorted(), expected("second"));
      position = tail.position;
    });
    addToAll("third");
    await withTail(config, { position }, async (tail) => {
      assert.deepEqual((await tail.until(400)).toSorted(), expected("third"));
      await tail.poll();
      assert.equal(tail.lines.length, 400);
    });
  }));

Deno.test("file says in its health what it cannot read, and refuses positions of others", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(join(folder, "dir.log"));
    const paths = [join(folder, "*.log"), join(folder, "missing")];
    await withTail({ paths, once: true }, {}, async (tail) => {
      assert.equal(await tail.host.instance.health(), Status.FAILED);
      const message = tail.host.instance.error();
      assert.match(message, /dir\.log" is no regular file/);
      assert.match(message, /missing" matches no file/);
      await tail.poll();
      assert.ok(tail.ended);
    });
    await withBuiltin("source/file", { config: { paths } }, async ({ instance }) => {
      instance.setResume({ position: new Uint8Array(17), acknowledged: [] });
      assert.equal(await instance.start(), Status.FAILED);
      assert.match(instance.error(), /does not have 17 bytes/);
    });
  }));

Deno.test("patterns of paths", () =>
  // deno-lint-ignore require-await
  withFolder(async (folder) => {
    for (const name of ["a1.log", "a2.log", "b1.log", ".hidden.log", "x+y.log", "a[1].log"]) {
      add(join(folder, name), "");
    }
    const names = (pattern: string) =>
      matchingPaths([join(folder, pattern)]).map((path) => path.slice(folder.length + 1));
    assert.deepEqual(names("*.log"), ["a1.log", "a2.log", "a[1].log", "b1.log", "x+y.log"]);
    assert.deepEqual(names("a?.log"), ["a1.log", "a2.log"]);
    assert.deepEqual(names("[!a]1.log"), ["b1.log"]);
    assert.deepEqual(names("[ab][1-2].log"), ["a1.log", "a2.log", "b1.log"]);
    assert.deepEqual(names("x+y.log"), ["x+y.log"]);
    assert.deepEqual(names(".h*"), [".hidden.log"]);
    assert.deepEqual(names("none*"), []);
    assert.throws(() => names("[z-a].log"), /a range in \[\.\.\.\] goes from low to high/);
    assert.deepEqual(
      matchingPaths([join(folder, "a1.log"), join(folder, "a1*")]),
      [join(folder, "a1.log")],
    );
  }));
