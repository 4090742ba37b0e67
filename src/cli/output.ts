/** Prints a value as JSON for other programs: indented, one document. */
export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

/** Text from a file that may be hostile, without what steers a terminal. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\s+/g, " ").replace(/[\x00-\x1f\x7f-\x9f]/g, "\u00b7");
}

/** Whether what goes to the stream may have colours. */
export function hasColour(stream: { isTerminal(): boolean }): boolean {
  return stream.isTerminal() && Deno.env.get("NO_COLOR") === undefined;
}

const TONES = { red: 31, green: 32, yellow: 33, bold: 1 } as const;

/** Colours for what goes to standard output, or none. */
export function paint(text: string, tone: keyof typeof TONES): string {
  return hasColour(Deno.stdout) ? `\x1b[${TONES[tone]}m${text}\x1b[0m` : text;
}

/** Prints rows under a head, without borders, so that other programs can cut columns as well. */
export async function printTable(head: string[], rows: string[][]): Promise<void> {
  const { default: Table } = await import("cli-table3");
  const table = new Table({
    head,
    style: { head: hasColour(Deno.stdout) ? ["bold"] : [], border: [], "padding-left": 0 },
    chars: Object.fromEntries(BORDERS.map((border) => [border, ""])),
  });
  table.push(...rows);
  for (const line of table.toString().split("\n")) console.log(line.trimEnd());
}

const BORDERS = [
  "top",
  "top-mid",
  "top-left",
  "top-right",
  "bottom",
  "bottom-mid",
  "bottom-left",
  "bottom-right",
  "left",
  "left-mid",
  "mid",
  "mid-mid",
  "right",
  "right-mid",
  "middle",
];

/** Prints aligned "name  value" lines; absent values are left out. */
export function printFields(fields: readonly (readonly [string, string | undefined])[]): void {
  const shown = fields.filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  for (const [name, value] of shown) console.log(`${name.padEnd(width)}  ${value}`);
}
