/** A body that is too long, did not arrive in time, or that there is no memory for. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly problem: "too_long" | "too_slow" | "broken" | "no_room";

  constructor(problem: BodyError["problem"], message: string) {
    super(message);
    this.problem = problem;
  }
}

/**
 * Reads a request's body, of at most `max` bytes and within `ms`.
 *
 * @throws {BodyError} when it is longer, slower, or breaks off; no more of it is read then
 */
export async function readBody(
  request: Request,
  { max, ms }: { max: number; ms: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > max) throw tooLong(max);
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => {});
  const timer = setTimeout(
    () => late.reject(new BodyError("too_slow", `The body did not arrive within ${ms} ms`)),
    ms,
  );
  try {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]);
      if (done) return join(parts, length);
      length += value.length;
      if (length > max) throw tooLong(max);
      parts.push(value);
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    if (error instanceof BodyError) throw error;
    throw new BodyError("broken", `The body broke off: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
}

function tooLong(max: number): BodyError {
  return new BodyError("too_long", `The body has more than ${max} bytes`);
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
