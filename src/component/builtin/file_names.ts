import { basename, dirname, extname } from "node:path";
import { SettingError } from "../../config/setting_error.ts";

const FIELDS = /%(.?)/g;
const KNOWN = "%YmdHMSi";

/** Paths of files by a pattern with fields for the time, in UTC, and for a number. */
export class FileNames {
  readonly #pattern: string;
  readonly numbered: boolean;
  #second = -1;
  #timed = "";

  /**
   * @param pattern a path with %Y %m %d %H %M %S for the time, %i for the number and %% for a percent sign
   * @param numbered whether there has to be a number; it goes before the extension where the pattern has none
   * @throws Error that says what is wrong with the pattern
   */
  constructor(pattern: string, numbered: boolean) {
    for (const [field, letter] of pattern.matchAll(FIELDS)) {
      if (letter !== "" && KNOWN.includes(letter!)) continue;
      throw new SettingError(
        ["path"],
        `Cannot use path "${pattern}": "${field}" is none of %Y, %m, %d, %H, %M, %S, %i and %%`,
      );
    }
    if (hasNumber(dirname(pattern))) {
      throw new SettingError(
        ["path"],
        `Cannot use path "${pattern}": %i can only stand in the name of the file`,
      );
    }
    const extension = extname(pattern);
    const stem = pattern.slice(0, pattern.length - extension.length);
    this.#pattern = numbered && !hasNumber(pattern) ? `${stem}-%i${extension}` : pattern;
    this.numbered = hasNumber(this.#pattern);
  }

  /** The part of the path that depends on the time, in milliseconds since 1970: files with another are others. */
  at(time: number): string {
    const second = Math.floor(time / 1000);
    if (second === this.#second) return this.#timed;
    this.#second = second;
    const [date, clock] = new Date(second * 1000).toISOString().split(/[T.]/) as [string, string];
    const [Y, m, d] = date.split("-");
    const [H, M, S] = clock.split(":");
    const values: Record<string, string | undefined> = { Y, m, d, H, M, S };
    return this.#timed = this.#pattern.replace(FIELDS, (field, letter) => values[letter] ?? field);
  }

  /** The path with what {@linkcode FileNames.at} gave. */
  path(timed: string, number: number): string {
    return timed.replace(FIELDS, (_, letter) => letter === "%" ? "%" : numberText(number));
  }

  /** The highest number that a file has; 1 where there is none. */
  highest(timed: string): number {
    if (!this.numbered) return 1;
    const [before, after] = this.path(basename(timed).replace("%i", "\0"), 0).split("\0");
    let highest = 1;
    for (const name of namesIn(dirname(this.path(timed, 1)))) {
      if (!name.startsWith(before!) || !name.endsWith(after!)) continue;
      const middle = name.slice(before!.length, name.length - after!.length);
      if (/^\d{4,15}$/.test(middle)) highest = Math.max(highest, Number(middle));
    }
    return highest;
  }
}

function hasNumber(pattern: string): boolean {
  return [...pattern.matchAll(FIELDS)].some(([, letter]) => letter === "i");
}

function numberText(number: number): string {
  return `${number}`.padStart(4, "0");
}

/** None also where it cannot be looked at: opening a file says why. */
function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}
