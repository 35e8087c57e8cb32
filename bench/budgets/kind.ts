import { readFileSync } from 'node:fs';

/** The vector extensions that Valgrind emulates, widest first, by their names in Linux. */
const VECTORS = ['avx2', 'avx'];

/**
 * The kind of machine on which counts are reproducible: the same Node on the same instruction set. The model of the
 * processor does not matter: Valgrind emulates one synthetic processor, so V8, OpenSSL and the C library choose the
 * same code everywhere; only the vector extensions depend on the real processor.
 */
export function kindOf(node: string, arch: string, flags: ReadonlySet<string>): string {
  const vectors = arch === 'x64' ? [VECTORS.find((one) => flags.has(one)) ?? 'sse'] : [];
  return [`Node ${node.slice(1)}`, arch, ...vectors].join(', ');
}

/** The flags of the processor as Linux reports them; empty on other systems. */
export function processorFlags(): Set<string> {
  try {
    const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    return new Set(line.trim().split(/\s+/));
  } catch {
    return new Set();
  }
}
