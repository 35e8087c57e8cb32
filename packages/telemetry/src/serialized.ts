/** What a serializer makes of a field. It may throw; an error is ours to show, with its causes and without credentials. */
export function serialized(fields: object, name: string, serialize: (value: never) => unknown): unknown {
  const value: unknown = (fields as Record<string, unknown>)[name];
  if (value instanceof Error) return value;
  try {
    return serialize(value as never);
  } catch {
    return '[threw]';
  }
}
