const SIZES = {
  u8: 1,
  u16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
  pointer: 8,
} as const;

/** A scalar, an array of bytes or u64 by its size in bytes, or another struct. */
export type Member = keyof typeof SIZES | { bytes: number; align: 1 | 8 } | Layout<string>;

/** Size, alignment and offsets in bytes of a C struct on a 64-bit target. */
export interface Layout<K extends string> {
  readonly size: number;
  readonly align: number;
  readonly offset: { readonly [P in K]: number };
}

/** Lays out members in order by the rules of the System V and AAPCS64 ABIs: natural alignment, padded at the end. */
export function struct<const M extends Record<string, Member>>(
  members: M,
): Layout<keyof M & string> {
  const offset: Record<string, number> = {};
  let at = 0;
  let align = 1;
  for (const [name, member] of Object.entries(members)) {
    const size = typeof member === "string"
      ? SIZES[member]
      : "bytes" in member
      ? member.bytes
      : member.size;
    const alignment = typeof member === "string" ? SIZES[member] : member.align;
    at = Math.ceil(at / alignment) * alignment;
    offset[name] = at;
    at += size;
    align = Math.max(align, alignment);
  }
  return {
    size: Math.ceil(at / align) * align,
    align,
    offset: offset as { [P in keyof M & string]: number },
  };
}
