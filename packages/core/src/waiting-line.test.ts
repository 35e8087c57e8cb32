import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WaitingLine, type Waiting } from './waiting-line.ts';

describe('WaitingLine', () => {
  it('behaves like an array from which any entry can be removed', () => {
    const step = fc.record({ kind: fc.constantFrom('join', 'join', 'leave', 'oldest', 'newest'), which: fc.nat(200) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const line = new WaitingLine<Waiting>();
        const plain: Waiting[] = [];
        for (const { kind, which } of steps) {
          if (kind === 'join') {
            const one: Waiting = { ahead: undefined, behind: undefined, waits: false };
            plain.push(one);
            line.join(one);
          } else if (kind === 'leave' && plain.length > 0) {
            line.leave(plain.splice(which % plain.length, 1)[0]!);
          } else {
            const one = kind === 'oldest' ? line.oldest : line.newest;
            expect(one).toBe(kind === 'oldest' ? plain[0] : plain.at(-1));
            if (one === undefined) continue;
            line.leave(one);
            plain.splice(plain.indexOf(one), 1);
          }
          expect(line.size).toBe(plain.length);
          expect(line.oldest).toBe(plain[0]);
          expect(line.newest).toBe(plain.at(-1));
        }
      }),
    );
  });
});
