import { gunzipSync, inflateSync } from "node:zlib";

/** Bytes that a body may have once it is unpacked: what one may have at most when it is sent as it is. */
const LONGEST = 32 * 1024 * 1024;
const UNPACK = { gzip: gunzipSync, "x-gzip": gunzipSync, deflate: inflateSync } as const;

/** A body that cannot be unpacked, and the HTTP status that says so. */
export class EncodingError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, { code, message }: { code: string; message: string }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A body without its Content-Encoding. @throws {EncodingError} when it has another than gzip and deflate, or is damaged or too long */
export function unpacked(body: Uint8Array, encoding: string): Uint8Array {
  const name = encoding.trim().toLowerCase();
  if (name === "" || name === "identity") return body;
  if (!Object.hasOwn(UNPACK, name)) {
    const message = `Cannot read Content-Encoding "${encoding}": send gzip, deflate or none`;
    throw new EncodingError(415, { code: "UnsupportedEncoding", message });
  }
  try {
    return UNPACK[name as keyof typeof UNPACK](body, { maxOutputLength: LONGEST });
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
      const message = `Cannot unpack the body: it has more than ${LONGEST} bytes`;
      throw new EncodingError(413, { code: "InputTooLarge", message });
    }
    const message = `Cannot unpack the body as ${name}: ${(error as Error).message}`;
    throw new EncodingError(400, { code: "Invalid", message });
  }
}
