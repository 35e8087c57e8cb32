/**
 * Parses a JSON array of strings, optionally of a given length. Undefined for anything else: everyone who can write to
 * the server can write to the log and the channel too, and that must neither stop a process from receiving changes nor
 * crash it.
 */
export function parseStringList(message: string, count?: number): string[] | undefined {
  try {
    const strings: unknown = JSON.parse(message);
    if (!Array.isArray(strings) || (count !== undefined && strings.length !== count)) return undefined;
    return strings.every((item) => typeof item === 'string') ? strings : undefined;
  } catch {
    return undefined;
  }
}
