export interface CsvDialect {
  /** One character each. */
  delimiter: string;
  quote: string;
}

/** The fields of one record of CSV, RFC 4180. A quote within a field that does not begin with one is a character like others. */
export function csvFields(text: string, { delimiter, quote }: CsvDialect): string[] {
  const fields: string[] = [];
  for (let at = 0;;) {
    if (text[at] !== quote) {
      const end = text.indexOf(delimiter, at);
      fields.push(end < 0 ? text.slice(at) : text.slice(at, end));
      if (end < 0) return fields;
      at = end + 1;
      continue;
    }
    let field = "";
    for (at++;;) {
      const end = text.indexOf(quote, at);
      if (end < 0) {
        throw new Error(`Cannot read CSV: field ${fields.length + 1} has no closing quote`);
      }
      field += text.slice(at, end);
      at = end + 1;
      if (text[at] !== quote) break;
      field += quote;
      at++;
    }
    fields.push(field);
    if (at === text.length) return fields;
    if (text[at] !== delimiter) {
      throw new Error(`Cannot read CSV: text follows the closing quote of field ${fields.length}`);
    }
    at++;
  }
}
