import { ControlError, type Execution, type ExecutionOutcome } from "../admin/control.ts";
import type { ServiceSource } from "../admin/services.ts";
import { CallError, type CallProblem } from "../cell/call_desk.ts";
import type { Supervisor } from "../cell/supervisor.ts";
import { Status } from "../../ffi/layout.ts";
import type { ResolvedPipeline, ServiceSettings } from "../config/resolved.ts";
import type { RunningControl } from "./control.ts";
import type { HttpListener } from "./http_listener.ts";

const PROBLEMS: Record<CallProblem, { status: 429 | 502 | 503 | 504; code: string }> = {
  not_running: { status: 503, code: "NotRunning" },
  busy: { status: 429, code: "Busy" },
  timeout: { status: 504, code: "Timeout" },
  crash: { status: 502, code: "Crashed" },
};

/** Executes services for operators and programs. */
export class ServiceCalls {
  readonly #supervisor: Supervisor;

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor;
  }

  /** The service with this id, or the only one of the plugin with this name. @throws {ControlError} when there is none */
  find(name: string): ResolvedPipeline & { service: ServiceSettings } {
    const all = this.#supervisor.services().filter(({ components }) =>
      components[0]!.kind === "service"
    );
    const own = all.find(({ service }) => service.id === name);
    if (own !== undefined) return own;
    const [first, ...others] = all.filter(({ components }) => components[0]!.plugin === name);
    if (first !== undefined && others.length === 0) return first;
    if (first === undefined) {
      throw new ControlError(404, "ServiceNotFound", `Unknown service "${name}"`);
    }
    const ids = [first, ...others].map(({ service }) => `"${service.id}"`).join(", ");
    throw new ControlError(
      409,
      "SeveralServices",
      `Cannot execute plugin "${name}": it has several services, name one of ${ids}`,
    );
  }

  /** @throws {ControlError} when there is no output */
  async execute(name: string, execution: Execution): Promise<ExecutionOutcome> {
    const unit = this.find(name);
    const { service, components } = unit;
    const refuse = (status: 400 | 413 | 429 | 502 | 503 | 504, code: string, why: string) =>
      new ControlError(status, code, `Cannot execute service "${service.id}": ${why}`);
    const { input, contentType, timeoutMs = service.timeoutMs } = execution;
    if (input.length > service.maxInput) {
      const why = `its input has ${input.length} bytes, at most ${service.maxInput} are allowed`;
      throw refuse(413, "InputTooLarge", why);
    }
    const started = performance.now();
    try {
      const { status, message, answer } = await this.#supervisor.call(unit.id, {
        call: "execute",
        timeoutMs: Math.min(timeoutMs, service.timeoutMs),
        maxOutput: service.maxOutput,
        method: "POST",
        path: "/",
        query: "",
        headers: contentType === undefined ? [] : [["content-type", contentType]],
        body: input,
      });
      if (status === Status.INVALID) throw refuse(400, "Invalid", message || "INVALID");
      if (status !== Status.OK) throw refuse(502, "Failed", message || "it failed");
      const type = answer.headers.find(([name]) => name === "content-type")?.[1];
      return {
        plugin: components[0]!.plugin,
        output: answer.body,
        ...(type !== undefined && { contentType: type }),
        durationMs: Math.round((performance.now() - started) * 1000) / 1000,
      };
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      const { status, code } = PROBLEMS[error.problem];
      throw refuse(status, code, error.message);
    }
  }
}

/** Services, hooks and the listener as the API shows them. */
export function serviceSource(
  supervisor: Supervisor,
  { control, http }: { control: Pick<RunningControl, "units">; http: HttpListener },
): ServiceSource {
  return {
    services() {
      const settings = new Map(supervisor.services().map((one) => [one.id, one.service]));
      return control.units().flatMap(({ components, ...unit }) => {
        const service = settings.get(unit.id);
        const [component] = components;
        if (service === undefined || component === undefined) return [];
        const { id, ...limits } = service;
        const { plugin, component: name, errors, health, healthMessage } = component;
        const kind = unit.id.startsWith("hook:") ? "http hook" : component.kind;
        const shown = { kind, plugin, component: name, errors, health, healthMessage };
        return [{ ...unit, id, ...shown, ...limits }];
      });
    },
    http: () => http.view(),
  };
}
