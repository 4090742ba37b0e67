import { BUILTIN_FACTORIES } from "../component/builtin/mod.ts";

/** Throws what is wrong with the settings of a built-in component that fit its schema; what knows that is loaded when it is used. */
export async function checkBuiltin(
  { kind, name }: { kind: string; name: string },
  config: Record<string, unknown>,
): Promise<void> {
  const factory = await BUILTIN_FACTORIES[`${kind}/${name}`]?.();
  await factory?.check?.(config);
}
