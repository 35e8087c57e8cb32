/** The code of a network error; of several addresses tried, the first one's. */
export function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.name;
}

/** The code of why a try was cancelled, whatever the caller's signal was aborted with. */
export function codeOfReason(reason: unknown): string {
  const { code, name } = Object(reason) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'cancelled';
}
