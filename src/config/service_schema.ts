import { z } from "zod";
import { duration, ID_PATTERN, listOf, size } from "./fields.ts";

const MAX_BODY = { least: "1B", most: "32MiB" };

/** What services and hooks have besides what all cells have. */
export const serviceFields = {
  enabled: z.boolean().default(true),
  cell: z.string().regex(ID_PATTERN).optional()
    .describe("Those naming the same cell run in one process; a process of its own by default"),
  timeout: duration({ least: "1ms" }).prefault("10s")
    .describe("Longest a call may take, waiting for others included"),
  max_input: size(MAX_BODY).prefault("1MiB").describe("Bytes of a call's input at most"),
  max_output: size(MAX_BODY).prefault("16MiB").describe("Bytes of an answer at most"),
  concurrency: z.int().min(1).max(1024).optional()
    .describe("Calls at once, at most what the plugin says, which is the default"),
  queue: z.int().min(0).max(65_536).default(64)
    .describe("Calls that may wait for others; more are refused"),
};

const listen = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on"),
  port: z.int().min(0).max(65535).default(8080).describe("0 takes any free port"),
  insecure: z.boolean().default(false)
    .describe("Allows an address that other machines reach without TLS"),
  tls: z.strictObject({
    certificate: z.string().min(1).describe("File with the certificate chain, PEM"),
    key: z.string().min(1).describe("File with the private key, PEM"),
  }).optional(),
});

const limits = z.strictObject({
  header: size({ least: "256B", most: "64KiB" }).prefault("32KiB")
    .describe("Bytes of a request's headers at most"),
  body: size(MAX_BODY).prefault("16MiB").describe("Bytes of a request's body at most"),
  requests: z.int().min(1).max(1_000_000).default(512)
    .describe("Requests under way at most; more are refused"),
  memory: size({ least: "1MiB" }).prefault("256MiB")
    .describe("Bytes of bodies under way at most; more are refused"),
  time: duration({ least: "1ms" }).prefault("30s")
    .describe("Time in which a request's body must have arrived"),
});

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Segments are plain or :name; the last may be *. */
const PATH_PATTERN = /^(?=\/)(\/(:[A-Za-z]\w*|[\w.~@%-]*))*(\/\*)?$/;

const route = z.strictObject({
  path: z.string().regex(PATH_PATTERN)
    .describe("Path; :name stands for one segment, * at the end for the rest"),
  method: listOf(z.enum(METHODS)).prefault("POST").describe("One method or a list"),
  service: z.string().min(1).optional().describe("Id of a service, which is executed"),
  endpoint: z.string().min(1).optional()
    .describe("Id of a service whose component is a hook, which handles the request"),
  source: z.string().min(1).optional()
    .describe("pipeline/component of a source that takes what is sent, such as builtin/http"),
  hooks: z.array(z.string().min(1)).optional()
    .describe("Ids of the hooks that see requests of this route; all by default"),
}).refine(
  ({ service, endpoint, source }) =>
    [service, endpoint, source].filter((target) => target !== undefined).length === 1,
  { error: "A route needs one of service, endpoint and source" },
);

/** `http` without its hooks. */
export const httpFields = {
  listen: listen.prefault({}),
  limits: limits.prefault({}),
  routes: z.array(route).default([]),
};
