import { relative, resolve } from "node:path";
import { LANGUAGES } from "../project/toolchain.ts";
import type { Language } from "../project/toolchain.ts";
import { KINDS, runsInPipeline, scaffold, whyNoPipeline } from "../project/scaffold.ts";
import type { ComponentKind } from "../plugin/manifest.ts";
import { CommandError, ExitCode } from "./exit_codes.ts";
import { printJson } from "./output.ts";
import type { GlobalOptions } from "./program.ts";

export interface NewOptions extends GlobalOptions {
  lang: string;
  kind: string;
  dir?: string;
}

/** `busbar plugin new`: makes a project and says what to type next. */
export async function newPlugin(name: string, options: NewOptions): Promise<ExitCode> {
  const language = oneOf<Language>("--lang", options.lang, LANGUAGES);
  const kind = oneOf<ComponentKind>("--kind", options.kind, KINDS);
  const folder = resolve(options.dir ?? name);
  const { files, commands } = await scaffold({ language, kind, name, folder });
  if (options.json) {
    printJson({ name, language, kind, folder, files, commands });
    return ExitCode.OK;
  }
  const place = relative(Deno.cwd(), folder) || ".";
  console.log(`Made the ${kind} "${name}" in ${place}. Build it, test it, run it:\n`);
  if (place !== ".") {
    console.log(`  cd ${/^[\w./-]+$/.test(place) ? place : `'${place.replaceAll("'", `'\\''`)}'`}`);
  }
  for (const command of [commands.build, commands.test, commands.run]) console.log(`  ${command}`);
  if (!runsInPipeline(kind)) {
    console.log(`\nThe last command ${whyNoPipeline(kind)}.`);
  }
  return ExitCode.OK;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  const names = allowed.map((one) => `"${one}"`).join(", ");
  throw new CommandError(ExitCode.USAGE, `Cannot use ${option} "${value}": use one of ${names}`);
}
