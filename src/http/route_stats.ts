import type { ResolvedRoute } from "../config/resolved.ts";

/** A route as the API shows it, with what it has answered since the listener's settings changed last. */
export interface RouteView {
  path: string;
  methods: string[];
  /** service:ID, or pipeline/source. */
  target: string;
  hooks: string[];
  requests: number;
  /** By the first digit of the status, such as 2xx. */
  statuses: Record<string, number>;
  bytesIn: number;
  bytesOut: number;
  /** Of all answers together. */
  durationMs: number;
}

/** Counts what a route answers. */
export class RouteStats {
  readonly #view: RouteView;

  constructor({ path, methods, target, hooks }: ResolvedRoute) {
    this.#view = {
      path,
      methods,
      target: target.call === "receive" ? `${target.pipeline}/${target.source}` : target.unit,
      hooks,
      requests: 0,
      statuses: {},
      bytesIn: 0,
      bytesOut: 0,
      durationMs: 0,
    };
  }

  note(
    { status, ms, bytesIn, bytesOut }: {
      status: number;
      ms: number;
      bytesIn: number;
      bytesOut: number;
    },
  ): void {
    const view = this.#view;
    const name = `${Math.floor(status / 100)}xx`;
    view.requests++;
    view.statuses[name] = (view.statuses[name] ?? 0) + 1;
    view.bytesIn += bytesIn;
    view.bytesOut += bytesOut;
    view.durationMs += ms;
  }

  view(): RouteView {
    const { statuses, durationMs } = this.#view;
    return { ...this.#view, statuses: { ...statuses }, durationMs: Math.round(durationMs) };
  }
}
