import { afterAll, beforeAll, expect } from 'vitest';

/** Fails the test file if any of its tests causes an unhandled rejection. */
export function expectNoUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const record = (reason: unknown): unknown => unhandled.push(reason);
  beforeAll(() => void process.on('unhandledRejection', record));
  afterAll(() => {
    process.off('unhandledRejection', record);
    expect(unhandled).toEqual([]);
  });
}
