import { expect, test } from 'vitest';
import { BodyCopy } from './body-copy.ts';

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();

test.each(['before', 'after'])('gives the whole copy to a consumer that comes %s the end of the body', async (when) => {
  const copy = new BodyCopy(10);
  const consumed: (string | undefined)[] = [];
  const consume = (): Promise<void> => copy.consume(async (bytes) => void consumed.push(text(bytes)));
  const early = when === 'before' ? consume() : undefined;
  for (const piece of ['one', 'two']) copy.add(Buffer.from(piece));
  await copy.complete();
  await (early ?? consume());
  expect(consumed).toEqual(['onetwo']);
});

test.each(['before', 'after'])(
  'a consumer that comes %s the copy is discarded gets nothing, and is not kept waiting',
  async (when) => {
    const copy = new BodyCopy(10);
    const consumed: unknown[] = [];
    const consume = (): Promise<void> => copy.consume(async (bytes) => void consumed.push(bytes));
    const early = when === 'before' ? consume() : undefined;
    copy.discard();
    await (early ?? consume());
    expect(consumed).toEqual([]);
  },
);
