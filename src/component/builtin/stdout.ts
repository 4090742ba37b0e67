import { Status } from "../../../ffi/layout.ts";
import { RecordReader } from "../../event/reader.ts";
import type { BuiltinComponent, BuiltinContext } from "../builtin.ts";
import { jsonLine } from "./event_line.ts";

/** Characters that are printed at once; a batch may be larger than a message to the host. */
const PIECE = 1024 * 1024;
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/** Writes a line for each event to the host's standard output. */
export function stdout(context: BuiltinContext): BuiltinComponent {
  const lineOf = context.config["format"] === "payload" ? payloadLine : jsonLine;
  const reader = new RecordReader();
  return {
    write(batch) {
      let text = "";
      reader.open(batch);
      while (reader.next()) text += lineOf(reader, context);
      const printed = print(context, text);
      if (reader.malformed === "") return printed;
      batch.done = reader.index + 1;
      return printed.then(() => Status.INVALID);
    },
  };
}

async function print(context: BuiltinContext, text: string): Promise<number> {
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + PIECE, text.length);
    // The two halves of a character beyond U+FFFF stay together.
    if (to < text.length && (text.charCodeAt(to) & 0xfc00) === 0xdc00) to--;
    await context.print(text.slice(from, to));
    from = to;
  }
  return Status.OK;
}

function payloadLine(reader: RecordReader): string {
  return `${lenient.decode(reader.payload)}\n`;
}
