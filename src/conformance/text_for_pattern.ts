import type { Random } from "./random.ts";

const MORE = 4;
/** How many parts are followed at most: counts within counts multiply. */
const MAX_STEPS = 100_000;
const SETS: Readonly<Record<string, string>> = {
  d: "0123456789",
  w: "abcxyzABCXYZ0189_",
  s: " ",
  D: "ax-",
  W: "-.",
  S: "a0-",
};
const CONTROLS: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
const ANY = "aZ0-_ .";

/**
 * A text that the regular expression `pattern` probably matches: choices, groups, classes and counts are followed, while anchors
 * and what looks around is passed over. The caller checks it.
 */
export function textForPattern(pattern: string, random: Random): string {
  return new Generator(pattern, random).choice();
}

class Generator {
  readonly #pattern: string;
  readonly #random: Random;
  #at = 0;
  #steps = 0;

  constructor(pattern: string, random: Random) {
    this.#pattern = pattern;
    this.#random = random;
  }

  choice(): string {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return this.#random.pick(options);
  }

  #sequence(): string {
    let text = "";
    while (this.#at < this.#pattern.length && !"|)".includes(this.#pattern[this.#at]!)) {
      const start = this.#at;
      const first = this.#atom();
      const count = this.#count();
      const after = this.#at;
      if (count > 0) text += first;
      for (let i = 1; i < count && this.#steps++ < MAX_STEPS; i++) {
        this.#at = start;
        text += this.#atom();
      }
      this.#at = after;
    }
    return text;
  }

  #atom(): string {
    const char = this.#pattern[this.#at++]!;
    switch (char) {
      case "^":
      case "$":
        return "";
      case ".":
        return this.#random.pick(Array.from(ANY));
      case "[":
        return this.#class();
      case "(": {
        const looks = /^\?<?[=!]/.exec(this.#pattern.slice(this.#at));
        const mark = looks ?? /^\?(:|<[^>]*>)/.exec(this.#pattern.slice(this.#at));
        this.#at += mark?.[0].length ?? 0;
        const text = this.choice();
        this.#take(")");
        return looks ? "" : text;
      }
      case "\\":
        return this.#random.pick(this.#escaped());
      default:
        return char;
    }
  }

  #count(): number {
    const few = (low: number) => this.#random.between(low, low + MORE);
    let count = 1;
    if (this.#take("?")) count = this.#random.below(2);
    else if (this.#take("*")) count = few(0);
    else if (this.#take("+")) count = few(1);
    else {
      const [all, low, comma, high] = /^\{(\d+)(,?)(\d*)\}/.exec(
        this.#pattern.slice(this.#at),
      ) ?? [];
      if (all === undefined) return 1;
      this.#at += all.length;
      const most = high ? Math.min(Number(high), Number(low) + MORE) : Number(low) + MORE;
      count = comma ? this.#random.between(Number(low), most) : Number(low);
    }
    this.#take("?");
    return count;
  }

  #class(): string {
    const not = this.#take("^");
    const chars: string[] = [];
    while (this.#at < this.#pattern.length && !this.#take("]")) {
      const char = this.#pattern[this.#at++]!;
      if (char === "\\") chars.push(...this.#escaped());
      else if (/^-[^\]]/.test(this.#pattern.slice(this.#at, this.#at + 2))) {
        const last = this.#pattern.codePointAt(this.#at + 1)!;
        for (let code = char.codePointAt(0)!; code <= last && chars.length < 512; code++) {
          chars.push(String.fromCodePoint(code));
        }
        this.#at += 2;
      } else chars.push(char);
    }
    const allowed = not ? Array.from(ANY).filter((char) => !chars.includes(char)) : chars;
    return allowed.length === 0 ? "" : this.#random.pick(allowed);
  }

  /** What the escape after a backslash may stand for. */
  #escaped(): string[] {
    const char = this.#pattern[this.#at++] ?? "\\";
    if (char === "b" || char === "B") return [""];
    return Array.from(SETS[char] ?? CONTROLS[char] ?? char);
  }

  #take(char: string): boolean {
    if (this.#pattern[this.#at] !== char) return false;
    this.#at++;
    return true;
  }
}
