// Recorded sequences of lookups, compressed: a line of JSON about the recording, then the number of a key per line.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { createCache, type Eviction } from '@macadam/cache';

/** The file lookups of developer tools; see `record-file-trace.ts`. */
export const FILE_TRACE: string = join(import.meta.dirname, 'traces', 'files.br');

export interface AboutTrace {
  /** The day of the recording. */
  readonly recorded: string;
  /** The commands that ran, in order; those of one list at the same time. */
  readonly work: readonly (readonly string[])[];
  readonly lookUps: number;
  readonly keys: number;
}

export function writeTrace(file: string, about: AboutTrace, numbers: readonly number[]): number {
  const text = `${JSON.stringify(about)}\n${numbers.map((number) => number.toString(36)).join('\n')}\n`;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
  const bytes = brotliCompressSync(text, { params });
  writeFileSync(file, bytes);
  return bytes.length;
}

export function readTrace(file: string): { about: AboutTrace; keys: string[] } {
  const [about, ...keys] = brotliDecompressSync(readFileSync(file)).toString().trimEnd().split('\n');
  return { about: JSON.parse(about as string) as AboutTrace, keys };
}

/** The hit ratio of a memory with so many entries. */
export async function hitRatio(keys: readonly string[], maxEntries: number, eviction: Eviction): Promise<number> {
  const cache = createCache<number>({
    name: 'trace',
    ttlMs: Infinity,
    l1: { maxEntries, maxBytes: Infinity, eviction },
  });
  for (const key of keys) if (cache.peek(key) === undefined) await cache.set(key, 1);
  const { hits, entries } = cache.stats();
  if (entries > maxEntries) throw new Error(`${entries} entries where ${maxEntries} are allowed`);
  await cache.close();
  return hits / keys.length;
}
