/**
 * The texts that a message holds; undefined for what none of us has written. Whoever can write to the server can write to the log and
 * to the channel, too, and that must not make anybody deaf, nor end a process.
 */
export function textsOf(message: string, count?: number): string[] | undefined {
  try {
    const texts: unknown = JSON.parse(message);
    if (!Array.isArray(texts) || (count !== undefined && texts.length !== count)) return undefined;
    return texts.every((text) => typeof text === 'string') ? texts : undefined;
  } catch {
    return undefined;
  }
}
