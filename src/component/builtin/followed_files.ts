import { join } from "node:path";
import { FollowedFile } from "./followed_file.ts";
import { encodePosition, type FilesPosition, MOST_FILES, pathMark } from "./file_position.ts";
import { foldersOf, matchingPaths, namesIn } from "./path_patterns.ts";

/** Files that are held open. */
const MOST_OPEN = 256;
/** How many times `grace` an old file is still looked at, and its successor waits at most. */
const OLD_FOR = 10;
const WAITS_FOR = 30;

/** Knows the files that match patterns, under whatever name they go on. */
export class FollowedFiles {
  readonly #patterns: readonly string[];
  readonly #grace: number;
  #files: FollowedFile[] = [];
  #turn = 0;
  /** Path: what is wrong with it. */
  readonly problems = new Map<string, string>();

  /** @param options `grace` in ms */
  constructor(patterns: readonly string[], options: { grace: number }) {
    this.#patterns = patterns;
    this.#grace = options.grace;
  }

  get files(): readonly FollowedFile[] {
    return this.#files;
  }

  get openCount(): number {
    return this.#files.filter(({ isOpen }) => isOpen).length;
  }

  /** Takes up the files of a position, and those that are there; new ones are read from their end where `fromEnd`. */
  begin(position: FilesPosition, { fromEnd, now }: { fromEnd: boolean; now: number }): void {
    this.close();
    this.#turn = position.turn;
    const paths = matchingPaths(this.#patterns);
    const candidates = new Set([
      ...paths,
      ...foldersOf(this.#patterns).flatMap((folder) =>
        namesIn(folder).map((name) => join(folder, name))
      ),
    ]);
    const byIdentity = new Map<string, string>();
    if (position.files.length > 0) {
      for (const path of candidates) {
        const stat = statOf(path);
        if (stat?.isFile) byIdentity.set(`${stat.dev} ${stat.ino}`, path);
      }
    }
    for (const [i, mark] of position.files.entries()) {
      const found = byIdentity.get(`${mark.device} ${mark.inode}`);
      if (found === undefined) {
        if (i < position.turn) this.#turn--;
        continue;
      }
      const path = [...candidates].find((path) => pathMark(path) === mark.path) ?? found;
      const { device, inode, offset, withinLine } = mark;
      const file = new FollowedFile(path, { identity: { device, inode }, offset, now });
      file.withinLine = withinLine;
      if (path !== found) file.rotatedAt = now;
      if (!this.#tryOpen(file, found)) continue;
      file.look(now);
      if (file.offset > 0 && file.mark !== mark.mark) file.beginAnew();
      this.#files.push(file);
    }
    this.scan({ fromEnd, now });
  }

  /** Looks for new files, and for those whose path leads elsewhere now. */
  scan({ fromEnd, now }: { fromEnd: boolean; now: number }): void {
    this.problems.clear();
    const paths = matchingPaths(this.#patterns);
    for (const pattern of this.#patterns) {
      if (matchingPaths([pattern]).length === 0) this.problems.set(pattern, "matches no file");
    }
    const current = new Map<string, { device: number; inode: number }>();
    for (const path of paths) {
      const stat = statOf(path);
      if (stat === undefined) continue;
      if (!stat.isFile) {
        this.problems.set(path, "is no regular file");
        continue;
      }
      current.set(path, { device: stat.dev, inode: stat.ino ?? 0 });
    }
    for (const file of this.#files) {
      const there = current.get(file.path) ?? identityAt(file.path);
      if (there?.device === file.identity.device && there.inode === file.identity.inode) {
        file.rotatedAt = undefined;
      } else file.rotatedAt ??= now;
    }
    for (const [path, identity] of current) {
      const isKnown = this.#files.some((file) =>
        file.identity.inode === identity.inode && file.identity.device === identity.device
      );
      if (isKnown) continue;
      if (this.#files.length >= MOST_FILES) {
        this.problems.set(path, `is not followed: there are ${MOST_FILES} files already`);
        continue;
      }
      const file = new FollowedFile(path, { identity, offset: 0, now });
      if (!this.#tryOpen(file, path)) continue;
      file.look(now);
      if (fromEnd) file.offset = file.size;
      file.predecessor = this.#files.findLast((other) => other.path === path);
      this.#files.push(file);
    }
  }

  /** Looks which files have grown; also those that are not held open, where it is `thorough`. */
  look(now: number, { thorough }: { thorough: boolean }): void {
    for (const file of [...this.#files]) {
      if (!file.isOpen && !(thorough && this.#tryOpen(file, file.path))) continue;
      file.look(now);
      if (this.#isDone(file, now)) this.#drop(file);
    }
  }

  /** The file whose turn it is, of those that have more; undefined: none has. */
  next(now: number): FollowedFile | undefined {
    const { length } = this.#files;
    for (let i = 0; i < length; i++) {
      const index = (this.#turn + i) % length;
      const file = this.#files[index]!;
      if (!file.hasMore || !file.isOpen || this.#hasToWait(file, now)) continue;
      this.#turn = index;
      return file;
    }
    return undefined;
  }

  /** It is the next file's turn. */
  passOn(): void {
    this.#turn = this.#files.length === 0 ? 0 : (this.#turn + 1) % this.#files.length;
  }

  /** Files that were deleted, and whose last line will not be ended any more. */
  ended(now: number): FollowedFile[] {
    return this.#files.filter((file) =>
      file.deleted && file.rotatedAt !== undefined && !file.hasMore &&
      file.offset < file.size && now - file.grewAt >= this.#grace
    );
  }

  /** Where it goes on, when `used` bytes of the turn were used. */
  position(used: number): Uint8Array {
    return encodePosition({
      turn: this.#turn,
      used,
      files: this.#files.map((file) => ({
        ...file.identity,
        offset: file.offset,
        mark: file.mark,
        path: pathMark(file.path),
        withinLine: file.withinLine,
      })),
    });
  }

  close(): void {
    for (const file of this.#files) file.close();
    this.#files = [];
  }

  /** Its predecessor may still be written to. */
  #hasToWait(file: FollowedFile, now: number): boolean {
    const before = file.predecessor;
    if (before === undefined) return false;
    const silent = now - Math.max(before.grewAt, before.rotatedAt ?? 0) >= this.#grace;
    const late = now - (before.rotatedAt ?? now) >= WAITS_FOR * this.#grace;
    if ((before.hasMore || !silent) && !late && this.#files.includes(before)) return true;
    file.predecessor = undefined;
    return false;
  }

  /** Whether nothing more is to be expected from a file that was moved away. */
  #isDone(file: FollowedFile, now: number): boolean {
    if (file.rotatedAt === undefined || file.hasMore) return false;
    const silent = now - Math.max(file.grewAt, file.rotatedAt);
    if (file.deleted) return silent >= this.#grace && file.offset === file.size;
    const successor = this.#files.findLast((other) => other.path === file.path);
    return silent >= OLD_FOR * this.#grace && successor !== file && successor!.size > 0;
  }

  #drop(file: FollowedFile): void {
    file.close();
    const index = this.#files.indexOf(file);
    this.#files.splice(index, 1);
    if (index < this.#turn) this.#turn--;
    if (this.#turn >= this.#files.length) this.#turn = 0;
  }

  #tryOpen(file: FollowedFile, path: string): boolean {
    try {
      if (this.openCount >= MOST_OPEN) {
        this.#files.find(({ isOpen, hasMore, rotatedAt }) =>
          isOpen && !hasMore && rotatedAt === undefined
        )?.close();
      }
      file.open(path);
      return true;
    } catch (error) {
      this.problems.set(path, `cannot be read: ${(error as Error).message}`);
      return false;
    }
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

function identityAt(path: string): { device: number; inode: number } | undefined {
  const stat = statOf(path);
  return stat === undefined ? undefined : { device: stat.dev, inode: stat.ino ?? 0 };
}
