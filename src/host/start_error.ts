/** The host cannot start for a reason outside of its configuration: a port in use, a folder that cannot be written. */
export class StartError extends Error {
  override readonly name = "StartError";
}
