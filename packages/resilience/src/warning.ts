/**
 * Emits what code of the user threw, where the error must not keep a call from ending, as a process warning. Never throws, whatever
 * was thrown.
 */
export function emitWarning(thrown: unknown): void {
  try {
    process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
  } catch {
    process.emitWarning('A callback threw a value that cannot be read');
  }
}
