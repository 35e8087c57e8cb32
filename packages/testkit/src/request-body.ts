/** Reads a request body to its end and keeps the first `maxBytes`. Rejects if the client disconnects before its end. */
export async function readBody(
  source: AsyncIterable<Buffer>,
  maxBytes: number,
): Promise<{ readonly text: string; readonly bytes: number }> {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    const part = chunk.subarray(0, maxBytes - keptBytes);
    keptBytes += part.length;
    if (part.length > 0) kept.push(part);
  }
  return { text: Buffer.concat(kept).toString(), bytes };
}
