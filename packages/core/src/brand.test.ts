import { describe, expect, it } from 'vitest';
import { isMacadamError } from './brand.ts';

describe('isMacadamError', () => {
  it('is false for what cannot be read', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isMacadamError(proxy)).toBe(false);
    expect(isMacadamError(proxy, 'MAC_TIMEOUT')).toBe(false);
  });
});
