import { describe, expect, it } from 'vitest';
import { LineQueue } from './line-queue.ts';

const [INFO, WARN, ERROR] = [2, 3, 4];

function drain(queue: LineQueue): string[] {
  const lines: string[] = [];
  for (let line = queue.shift(); line !== undefined; line = queue.shift()) lines.push(line);
  return lines;
}

describe('LineQueue', () => {
  it('returns lines in the order they were pushed, whatever their level', () => {
    const queue = new LineQueue(100);
    queue.push('a', ERROR);
    queue.push('b', INFO);
    queue.push('c', WARN);
    queue.push('d', INFO);
    expect(drain(queue)).toEqual(['a', 'b', 'c', 'd']);
    expect(queue).toMatchObject({ length: 0, bytes: 0 });
  });

  it('drops the oldest info first, then the oldest of the rest', () => {
    const queue = new LineQueue(4);
    for (const [line, level] of [
      ['E', ERROR],
      ['i', INFO],
      ['j', INFO],
      ['W', WARN],
    ] as const)
      queue.push(line, level);
    queue.push('k', INFO);
    queue.push('F', ERROR);
    queue.push('G', ERROR);
    queue.push('H', ERROR);
    expect(drain(queue)).toEqual(['W', 'F', 'G', 'H']);
    expect(queue.dropped).toBe(4);
  });

  it('drops a new info line rather than a queued error', () => {
    const queue = new LineQueue(2);
    queue.push('E', ERROR);
    queue.push('F', ERROR);
    queue.push('i', INFO);
    expect(drain(queue)).toEqual(['E', 'F']);
    expect(queue.dropped).toBe(1);
  });

  it('counts bytes of UTF-8, and stays within the limit over a million lines', () => {
    const queue = new LineQueue(10_000);
    let largest = 0;
    for (let i = 0; i < 1_000_000; i++) {
      queue.push('é', i % 7 === 0 ? ERROR : INFO);
      largest = Math.max(largest, queue.bytes);
    }
    expect(largest).toBe(10_000);
    expect(queue.dropped).toBe(995_000);
    expect(drain(queue)).toHaveLength(5_000);
  });
});
