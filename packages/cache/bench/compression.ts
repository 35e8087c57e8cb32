// Measures the compression algorithms of Node for values of several sizes: node packages/cache/bench/compression.ts
// The reason for the choice in src/wire/compression.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';

const row = { name: 'Ann Example', email: 'ann@example.org', roles: ['reader', 'writer'], at: '2026-11-22T05:00:00Z' };
const rows = (count: number): Buffer =>
  Buffer.from(
    JSON.stringify(Array.from({ length: count }, (_, i) => ({ id: (i * 7_919) % 10_007, ...row, score: Math.sin(i) }))),
  );
const text = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'resilience.md'));
const samples = {
  'rows, small': rows(30),
  'rows, middling': rows(120),
  'rows, large': rows(8_000),
  'this documentation': text,
};

const { BROTLI_PARAM_QUALITY: QUALITY, ZSTD_c_compressionLevel: LEVEL } = zlib.constants;
const ways: Record<string, readonly [(raw: Buffer) => Buffer, (bytes: Buffer) => Buffer]> = {
  'brotli 1': [(raw) => zlib.brotliCompressSync(raw, { params: { [QUALITY]: 1 } }), zlib.brotliDecompressSync],
  'brotli 4': [(raw) => zlib.brotliCompressSync(raw, { params: { [QUALITY]: 4 } }), zlib.brotliDecompressSync],
  'zstd 1': [(raw) => zlib.zstdCompressSync(raw, { params: { [LEVEL]: 1 } }), zlib.zstdDecompressSync],
  'zstd 3': [(raw) => zlib.zstdCompressSync(raw), zlib.zstdDecompressSync],
  'deflate 1': [(raw) => zlib.deflateRawSync(raw, { level: 1 }), zlib.inflateRawSync],
  'deflate 6': [(raw) => zlib.deflateRawSync(raw), zlib.inflateRawSync],
};

const ROUNDS = 15;

/** CPU time of one call, in microseconds. */
function cost(work: () => unknown, times: number): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

function median(values: number[]): string {
  const middle = values.sort((a, b) => a - b)[values.length >> 1] as number;
  return `${middle.toFixed(0)} µs`.padStart(9);
}

for (const [name, raw] of Object.entries(samples)) {
  console.log(`${name}, ${raw.length} bytes`);
  const times = Math.max(3, Math.floor(1_000_000 / raw.length));
  const found = Object.entries(ways).map(([way, [compress, decompress]]) => {
    const bytes = compress(raw);
    return { way, bytes, compress, decompress, ins: [] as number[], outs: [] as number[] };
  });
  // Alternating, so that other load on the machine affects all of them alike.
  for (let round = 0; round < ROUNDS; round++) {
    for (const { bytes, compress, decompress, ins, outs } of found) {
      ins.push(cost(() => compress(raw), times));
      outs.push(cost(() => decompress(bytes), times));
    }
  }
  for (const { way, bytes, ins, outs } of found) {
    const left = `${((100 * bytes.length) / raw.length).toFixed(1)} %`.padStart(7);
    console.log(`  ${way.padEnd(10)} ${left}  in ${median(ins)}  out ${median(outs)}`);
  }
}
