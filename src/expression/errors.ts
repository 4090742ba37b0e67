import { type ASTNode, Environment, ParseError, TypeError } from "@marcbachmann/cel-js";

/** What is wrong with an expression, and where: offsets into its text. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";

  constructor(
    message: string,
    readonly start: number,
    readonly end: number,
    /** A name that there is not, and those there are. */
    readonly unknown?: { name: string; known: string[] },
  ) {
    super(message);
  }
}

/** What other languages have, and CEL writes otherwise. */
const IN_CEL: Readonly<Record<string, string>> = {
  "=": "==",
  "&": "&&",
  and: "&&",
  "|": "||",
  or: "||",
};

/** What the library found, in our words. */
export function explain(error: unknown, text: string, environment: Environment): ExpressionError {
  if (error instanceof RangeError) {
    return new ExpressionError("The expression is too long or too deep", 0, text.length);
  }
  if (!(error instanceof ParseError || error instanceof TypeError)) {
    return new ExpressionError((error as Error).message, 0, text.length);
  }
  const { start = 0, end = text.length } = error.range ?? {};
  const node = "op" in (error.node ?? {}) ? error.node as ASTNode : undefined;
  const unknown = node === undefined ? undefined : unknownName(node, text, environment);
  if (unknown !== undefined) return unknown;
  // The end of the text has no character to point at.
  const from = Math.max(0, Math.min(start, text.length - 1));
  const to = Math.max(from + 1, end);
  const message = error.summary.startsWith("Unexpected character: ")
    ? unexpected(text.slice(from, to))
    : inWords(error.summary);
  return new ExpressionError(message, from, to);
}

function unexpected(found: string): string {
  const wanted = Object.hasOwn(IN_CEL, found) ? `: write ${IN_CEL[found]}` : "";
  return `Unexpected ${JSON.stringify(found)}${wanted}`;
}

/** What the library bounds in an expression. */
const LIMITS: Readonly<Record<string, string>> = {
  maxAstNodes: "parts",
  maxDepth: "levels",
  maxListElements: "elements in a list",
  maxMapEntries: "entries in a map",
  maxCallArguments: "arguments in a call",
};

/** The message of one of the library's errors as we write it. */
export function inWords(message: string): string {
  if (message === "Unexpected token: EOF") return "The expression ends too early";
  const [, limit = "", most] = /^Exceeded (\w+) \((\d+)\)$/.exec(message) ?? [];
  if (Object.hasOwn(LIMITS, limit)) return `There are more than ${most} ${LIMITS[limit]}`;
  const text = unwrapped(message).replaceAll("'", '"');
  return /^\w+\(/.test(text) ? text : text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Types without the `dyn<…>` that says they came from an event. */
function unwrapped(message: string): string {
  const start = message.indexOf("dyn<");
  if (start < 0) return message;
  let end = start + 4;
  for (let open = 1; end < message.length; end++) {
    if (message[end] === "<") open++;
    if (message[end] === ">" && --open === 0) break;
  }
  return message.slice(0, start) + message.slice(start + 4, end) +
    unwrapped(message.slice(end + 1));
}

function unknownName(
  node: ASTNode,
  text: string,
  environment: Environment,
): ExpressionError | undefined {
  const { variables, functions } = environment.getDefinitions();
  if (node.op === "id") {
    const { args: name, start } = node;
    const known = variables.map(({ name }) => name).filter((name) => !OF_THE_LIBRARY.has(name));
    if (variables.some((variable) => variable.name === name)) return undefined;
    const end = start + name.length;
    return new ExpressionError(`Unknown variable "${name}"`, start, end, { name, known });
  }
  if (node.op !== "call" && node.op !== "rcall") return undefined;
  const [name] = node.args;
  const known = node.op === "rcall"
    ? functions.filter(({ receiverType }) => receiverType !== null).map(({ name }) => name)
    : functions.filter(({ receiverType }) => receiverType === null || receiverType === "math")
      .map(({ name, receiverType }) => receiverType === null ? name : `math.${name}`);
  if (known.includes(name)) return undefined;
  const start = text.indexOf(name, node.op === "rcall" ? node.args[1].end : node.start);
  const grouped = `math.${name}`;
  return new ExpressionError(`Unknown function "${name}"`, start, start + name.length, {
    name,
    known: known.includes(grouped) ? [grouped] : [...new Set(known)],
  });
}

/** Variables that stand for types and groups of functions. */
const OF_THE_LIBRARY = new Set([
  ...new Environment({ enableOptionalTypes: true }).getDefinitions().variables.map(({ name }) =>
    name
  ),
  "math",
]);
