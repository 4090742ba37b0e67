/** A signal that asks the host to stop. */
export type StopSignal = "SIGINT" | "SIGTERM";

const SIGNALS: StopSignal[] = ["SIGINT", "SIGTERM"];

/** The signals that asked to stop, until it is disposed of. */
export interface StopSignals extends Disposable {
  /** The first one. */
  readonly first: Promise<StopSignal>;
}

/** Takes SIGINT and SIGTERM in place of the system, which would end the process; each after the first goes to `onMore`. */
export function watchStopSignals(onMore: (signal: StopSignal) => void): StopSignals {
  const { promise, resolve } = Promise.withResolvers<StopSignal>();
  let count = 0;
  const listeners = SIGNALS.map((signal) => {
    const listener = () => count++ === 0 ? resolve(signal) : onMore(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  return {
    first: promise,
    [Symbol.dispose]() {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
