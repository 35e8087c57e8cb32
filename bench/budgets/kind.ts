import { readFileSync } from 'node:fs';

/** The widest vectors that Valgrind emulates, by the name Linux has for them; a processor without has none of them. */
const VECTORS = ['avx2', 'avx'];

/**
 * The kind of machine on which counts repeat: the same Node on the same instruction set. Which processor it is does not
 * matter, of whatever make: Valgrind shows a program one and the same made-up processor, so that V8, OpenSSL and the C
 * library choose the same code on all of them, and it differs by nothing but the vectors that the real one has.
 */
export function kindOf(node: string, arch: string, flags: ReadonlySet<string>): string {
  const vectors = arch === 'x64' ? [VECTORS.find((one) => flags.has(one)) ?? 'sse'] : [];
  return [`Node ${node.slice(1)}`, arch, ...vectors].join(', ');
}

/** What the processor is capable of, as Linux tells it; nothing elsewhere. */
export function processorFlags(): Set<string> {
  try {
    const line = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    return new Set(line.trim().split(/\s+/));
  } catch {
    return new Set();
  }
}
