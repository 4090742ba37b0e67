import { Cron } from "croner";
import { SettingError } from "../../config/setting_error.ts";

/** A time that a schedule gave: milliseconds since 1970, and which schedule. */
export interface Fire {
  time: number;
  index: number;
}

/** The times of several schedules, one after the other. */
export class Schedules {
  readonly patterns: readonly string[];
  readonly #crons: Cron[];

  /** @throws Error that says what is wrong with a pattern or the time zone */
  constructor(patterns: readonly string[], timezone: string) {
    this.patterns = patterns;
    this.#crons = patterns.map((pattern, index) => {
      try {
        const cron = new Cron(pattern, { timezone, paused: true });
        cron.nextRun(new Date(0));
        return cron;
      } catch (cause) {
        const reason = (cause as Error).message.replace(/^Cron\w+: /, "");
        const keys = patterns.length === 1 ? ["schedule"] : ["schedule", index];
        const message = `Cannot use schedule "${pattern}" in ${timezone}: ${reason}`;
        throw new SettingError(keys, message, { cause });
      }
    });
  }

  /** The first one after `fire`; undefined: there is none any more. */
  after(fire: Fire): Fire | undefined {
    let next: Fire | undefined;
    for (const [index, cron] of this.#crons.entries()) {
      // At one time they come in the order of the list.
      const from = index > fire.index ? fire.time - 1 : fire.time;
      const time = cron.nextRun(new Date(from))?.getTime();
      if (time !== undefined && (next === undefined || time < next.time)) next = { time, index };
    }
    return next;
  }

  /** The last one up to `time`; undefined: there was none. */
  lastUpTo(time: number): Fire | undefined {
    let last: Fire | undefined;
    for (const [index, cron] of this.#crons.entries()) {
      const at = cron.previousRuns(1, new Date(Math.floor(time / 1000) * 1000 + 1000))[0]
        ?.getTime();
      if (at !== undefined && (last === undefined || at >= last.time)) last = { time: at, index };
    }
    return last;
  }
}
