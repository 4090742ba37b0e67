import type { Call, CallMade, HeaderPair } from "../component/call.ts";
import { Status } from "../../ffi/layout.ts";
import type { CellPipeline } from "../pipeline/spec.ts";
import type { AnswerMessage } from "./protocol.ts";
import type { PipelineStatus } from "./pipeline_statuses.ts";

/** Why a call has no answer of the component's. */
export type CallProblem = "not_running" | "busy" | "timeout" | "crash";

/** A call that came to nothing, through no answer of the component's. */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly problem: CallProblem;

  constructor(problem: CallProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** What is asked of a component. */
export interface CallRequest extends Omit<Call, "id" | "deadline"> {
  timeoutMs: number;
}

/** A process that calls can be sent to. */
export interface CallTarget {
  /** Where the component with this key begins in the recorder; undefined when it is not there. */
  placeOf(key: string): number | undefined;
  send(
    message: {
      type: "call";
      id: number;
      place: number;
      bodyLength: number;
      answer?: { status: number; headers: HeaderPair[] };
    } & Omit<Call, "body" | "answer">,
    bytes: Uint8Array,
  ): void;
}

/** How many calls a component takes at once, and how many may wait. */
interface Room {
  concurrency: number;
  queue: number;
  /** Whether a call that its process ended with is made again in the next one. */
  again: boolean;
}

interface Pending extends PromiseWithResolvers<CallMade> {
  id: number;
  key: string;
  request: CallRequest;
  deadline: number;
  timer: number;
  /** Processes that ended while it was in flight, for no known reason. */
  deaths: number;
  settled: boolean;
}

/** What is under way in a process. */
interface InFlight {
  pending: Pending;
  target: CallTarget;
  place: number;
}

/** Calls at once of a source that is given events, and calls that may wait. */
const SOURCE_ROOM: Room = { concurrency: 64, queue: 256, again: false };
/** A call that outlives so many processes is taken to be what ends them. */
const DEATHS = 2;

const WAITS: PipelineStatus[] = ["starting", "running", "restarting", "reloading"];

/**
 * The calls of a cell's components through all its processes. A call waits while none runs, fails alone when its component crashes in
 * it, and is made again when something else ended the process.
 */
export class CallDesk {
  readonly #rooms = new Map<string, Room>();
  readonly #statuses = new Map<string, PipelineStatus>();
  #target: CallTarget | undefined;
  readonly #inFlight = new Map<number, InFlight>();
  #waiting: Pending[] = [];
  #nextId = 0;
  #drained: (() => void) | undefined;

  /** Takes calls for the components of these from now on. */
  plan(pipelines: readonly CellPipeline[]): void {
    this.#rooms.clear();
    for (const { pipeline, partitionIndex } of pipelines) {
      const { service } = pipeline;
      for (const { id, kind } of pipeline.components) {
        const key = `${pipeline.id}/${partitionIndex}/${id}`;
        if (service !== undefined) this.#rooms.set(key, { ...service, again: true });
        else if (kind === "source") this.#rooms.set(key, SOURCE_ROOM);
      }
    }
    for (const pending of this.#waiting.splice(0)) {
      if (this.#rooms.has(pending.key)) this.#waiting.push(pending);
      else this.#fail(pending, "not_running", "it is gone");
    }
  }

  /** @throws {CallError} when it comes to nothing */
  call(key: string, request: CallRequest): Promise<CallMade> {
    const room = this.#rooms.get(key);
    const status = this.#statuses.get(ownerOf(key)) ?? "stopped";
    if (room === undefined || !WAITS.includes(status)) {
      return Promise.reject(new CallError("not_running", `it is ${room ? status : "gone"}`));
    }
    const waiting = this.#waiting.filter((pending) => pending.key === key).length;
    const { concurrency, queue } = room;
    if (waiting >= queue && this.#freePlace(key) === undefined) {
      const message = `${concurrency} calls are under way and ${queue} wait`;
      return Promise.reject(new CallError("busy", message));
    }
    const pending: Pending = {
      ...Promise.withResolvers<CallMade>(),
      id: this.#nextId = this.#nextId + 1,
      key,
      request,
      deadline: Date.now() + request.timeoutMs,
      timer: 0,
      deaths: 0,
      settled: false,
    };
    pending.timer = setTimeout(() => this.#overdue(pending), request.timeoutMs);
    this.#waiting.push(pending);
    this.#dispatch();
    return pending.promise;
  }

  /** A pipeline or service has this status now. */
  note(id: string, status: PipelineStatus): void {
    this.#statuses.set(id, status);
    if (WAITS.includes(status)) return;
    this.#waiting = this.#waiting.filter((pending) => {
      if (ownerOf(pending.key) !== id) return true;
      this.#fail(pending, "not_running", `it is ${status}`);
      return false;
    });
  }

  /** Sends calls to `target` from now on. */
  open(target: CallTarget): void {
    this.#target = target;
    this.#dispatch();
  }

  /** Sends no more calls; resolves when all that were sent are answered, after `ms` at most. */
  async drain(ms: number): Promise<void> {
    this.#target = undefined;
    if (this.#inFlight.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
    this.#drained = undefined;
  }

  /** A process has answered; false for a call that it was not given. */
  answered({ id, ...answer }: AnswerMessage): boolean {
    const found = this.#inFlight.get(id);
    if (found === undefined) return false;
    this.#inFlight.delete(id);
    const { status, message, changes, newBody, bytes = new Uint8Array(0) } = answer;
    const made: CallMade = {
      status,
      message,
      changes,
      answer: {
        status: answer.answerStatus,
        headers: answer.answerHeaders,
        body: newBody ? new Uint8Array(0) : bytes,
      },
      ...(newBody && { body: bytes }),
    };
    if (status === Status.FATAL) this.#fail(found.pending, "crash", message);
    else if (bytes.length > found.pending.request.maxOutput) {
      this.#fail(found.pending, "crash", `it gave ${bytes.length} bytes, more than are allowed`);
    } else this.#settle(found.pending, () => found.pending.resolve(made));
    this.#dispatch();
    if (this.#inFlight.size === 0) this.#drained?.();
    return true;
  }

  /** A process has ended, because of what was called at the place `culprit` if that is known. */
  lost(
    target: CallTarget,
    { culprit, message }: { culprit: number | undefined; message: string },
  ): void {
    if (this.#target === target) this.#target = undefined;
    const lost = [...this.#inFlight.values()].filter((one) => one.target === target);
    for (const { pending } of lost) this.#inFlight.delete(pending.id);
    if (this.#inFlight.size === 0) this.#drained?.();
    for (const { pending, place } of lost.reverse()) {
      if (pending.settled) continue;
      if (culprit === undefined) pending.deaths++;
      const room = this.#rooms.get(pending.key);
      const fails = place === culprit || room?.again !== true || pending.deaths >= DEATHS;
      const status = this.#statuses.get(ownerOf(pending.key)) ?? "stopped";
      if (fails) this.#fail(pending, "crash", message);
      else if (!WAITS.includes(status)) this.#fail(pending, "not_running", `it is ${status}`);
      else this.#waiting.unshift(pending);
    }
    this.#dispatch();
  }

  #dispatch(): void {
    const target = this.#target;
    if (target === undefined) return;
    this.#waiting = this.#waiting.filter((pending) => {
      const place = this.#freePlace(pending.key);
      if (place === undefined) return true;
      const { id, deadline } = pending;
      const { timeoutMs: _, body, answer, ...request } = pending.request;
      this.#inFlight.set(id, { pending, place, target });
      const bytes = answer === undefined || answer.body.length === 0
        ? body
        : joined(body, answer.body);
      target.send({
        type: "call",
        id,
        place,
        deadline,
        ...request,
        bodyLength: body.length,
        ...(answer && { answer: { status: answer.status, headers: answer.headers } }),
      }, bytes);
      return false;
    });
  }

  /** A place of the component that no call is under way in. */
  #freePlace(key: string): number | undefined {
    const first = this.#target?.placeOf(key);
    const room = this.#rooms.get(key);
    if (first === undefined || room === undefined) return undefined;
    const places = [...this.#inFlight.values()]
      .filter(({ pending, target }) => pending.key === key && target === this.#target)
      .map(({ place }) => place);
    if (!room.again) return places.length < room.concurrency ? first : undefined;
    const free = Array.from({ length: room.concurrency }, (_, i) => first + i);
    return free.find((place) => !places.includes(place));
  }

  /** Nobody waits any more. A call that is under way keeps its place until it is over. */
  #overdue(pending: Pending): void {
    this.#waiting = this.#waiting.filter((one) => one !== pending);
    this.#fail(pending, "timeout", `it did not answer within ${pending.request.timeoutMs} ms`);
  }

  #fail(pending: Pending, problem: CallProblem, message: string): void {
    this.#settle(pending, () => pending.reject(new CallError(problem, message)));
  }

  #settle(pending: Pending, settle: () => void): void {
    if (pending.settled) return;
    pending.settled = true;
    clearTimeout(pending.timer);
    settle();
  }
}

/** Id of the pipeline or service that a component belongs to. */
function ownerOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
