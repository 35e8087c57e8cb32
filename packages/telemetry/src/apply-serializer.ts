import { isError } from './is-error.ts';

/**
 * Returns the value of a field as its serializer converts it. An Error is returned unchanged, since the logger writes it
 * with its causes and without credentials. A serializer that throws gives `[threw]`.
 */
export function applySerializer(fields: object, name: string, serialize: (value: never) => unknown): unknown {
  const value: unknown = (fields as Record<string, unknown>)[name];
  if (isError(value)) return value;
  try {
    return serialize(value as never);
  } catch {
    return '[threw]';
  }
}
