import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isMacadamError } from './brand.ts';
import { MacadamError, OptionsError, TimeoutError, underPath, withheld } from './errors.ts';

describe('MacadamError', () => {
  it('has code, retryable and cause, and prints like any other error', () => {
    const cause = new Error('below');
    const error = new MacadamError('it broke', { code: 'MAC_TEST', retryable: true, cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'MacadamError',
      message: 'it broke',
      code: 'MAC_TEST',
      retryable: true,
      cause,
    });
    expect(Object.keys(error)).toEqual(['code', 'retryable']);
    expect(error.stack).toContain('errors.test.ts');
    expect(inspect(error)).toContain('below');
  });

  it('has no cause property unless a cause is given', () => {
    expect('cause' in new MacadamError('x', { code: 'MAC_TEST' })).toBe(false);
  });

  it('has refusalStatus only if one is given', () => {
    expect(new MacadamError('no', { code: 'MAC_TEST', refusalStatus: 403 }).toJSON()).toMatchObject({
      refusalStatus: 403,
    });
    expect('refusalStatus' in new MacadamError('no', { code: 'MAC_TEST', refusalStatus: undefined })).toBe(false);
  });

  it('captures no stack with stack: false, and leaves Error.stackTraceLimit unchanged', () => {
    const before = Error.stackTraceLimit;
    const error = new MacadamError('cheap', { code: 'MAC_TEST', stack: false });
    expect(error.stack).not.toContain('at ');
    expect(Error.stackTraceLimit).toBe(before);
    expect(new Error('with a stack').stack).toContain('at ');
  });

  it.each([
    {
      cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED', password: 'hunter2' }),
      json: { name: 'Error', message: 'refused', code: 'ECONNREFUSED' },
    },
    { cause: new TypeError('wrong'), json: { name: 'TypeError', message: 'wrong' } },
    { cause: 'a string', json: 'a string' },
    { cause: { token: 'secret' }, json: 'an object' },
    { cause: Object.create(null) as unknown, json: 'an object' },
    {
      cause: new TimeoutError('too slow', 50),
      json: { name: 'TimeoutError', message: 'too slow', code: 'MAC_TIMEOUT', retryable: true, timeoutMs: 50 },
    },
  ])('shows the cause in toJSON as $json', ({ cause, json }) => {
    const error = new MacadamError('it broke', { code: 'MAC_TEST', cause });
    const wire = JSON.parse(JSON.stringify(error)) as Record<string, unknown>;
    expect(wire).toEqual({
      name: 'MacadamError',
      message: 'it broke',
      code: 'MAC_TEST',
      retryable: false,
      cause: json,
    });
    expect(JSON.stringify(error)).not.toMatch(/hunter2|secret|at /);
  });

  it('shows what an attempt threw like a cause, and a bigint as text', () => {
    const attempt = (error: unknown) => ({ attempt: 1, startedAtMs: 0, durationMs: 1, waitedMs: 0, error });
    const thrown = [{ status: 401, accessToken: 's3cr3t' }, 5n, 'a string', new TypeError('wrong'), undefined];
    const error = Object.assign(new MacadamError('it broke', { code: 'MAC_TEST', cause: 5n }), {
      attempts: thrown.map(attempt),
      size: 2n ** 64n,
    });
    const json = JSON.parse(JSON.stringify(error)) as { cause: unknown; size: unknown; attempts: { error: unknown }[] };
    expect(json.attempts.map((one) => one.error)).toEqual([
      'an object',
      '5n',
      'a string',
      { name: 'TypeError', message: 'wrong' },
      undefined,
    ]);
    expect([json.cause, json.size]).toEqual(['5n', '18446744073709551616n']);
  });
});

/** A value whose every use throws. */
function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

it.each([
  { name: 'a revoked proxy', thrown: revokedProxy() },
  {
    name: 'an error whose message throws',
    thrown: Object.defineProperty(new Error('down'), 'message', {
      get: () => {
        throw new Error('my bug');
      },
    }),
  },
])('the JSON of an error is complete although $name was thrown', ({ thrown }) => {
  const error = new MacadamError('gave up', { code: 'MAC_GAVE_UP', cause: thrown });
  Object.assign(error, { attempts: [{ attempt: 1, error: thrown }] });
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({
    code: 'MAC_GAVE_UP',
    cause: 'a value that cannot be read',
    attempts: [{ attempt: 1, error: 'a value that cannot be read' }],
  });
});

describe('OptionsError', () => {
  it('says which option is wrong, what was received and what is allowed', () => {
    const error = new OptionsError('retry.maxAttempts', 0, 'a whole number of at least 1');
    expect(error).toMatchObject({
      name: 'OptionsError',
      code: 'MAC_INVALID_OPTIONS',
      retryable: false,
      path: 'retry.maxAttempts',
      received: '0',
      allowed: 'a whole number of at least 1',
      message: 'Option retry.maxAttempts is 0; it must be a whole number of at least 1.',
    });
  });

  it('shows only the type of objects and cuts strings, since they may contain credentials', () => {
    const error = new OptionsError('auth', { password: 'hunter2' }, 'a function');
    expect(`${error.message} ${JSON.stringify(error)} ${inspect(error)}`).not.toContain('hunter2');
    expect(new OptionsError('url', 'x'.repeat(200), 'short').received).toHaveLength(62);
  });

  it.each([
    ['hunter2', 'a text that is not shown'],
    ['', 'an empty text'],
    [undefined, 'undefined'],
    [5, '5'],
    [new Uint8Array(31), '31 bytes'],
    [{ password: 'hunter2' }, 'an object'],
    [['hunter2'], 'an array of 1'],
  ])('shows only the type of a withheld %j', (value, received) => {
    expect(new OptionsError('secret', withheld(value), 'bytes').received).toBe(received);
  });
});

describe('underPath', () => {
  it('prefixes the path of an OptionsError, and still withholds the value', () => {
    const check = (): never => {
      throw new OptionsError('retry.budget', withheld('a secret'), 'a retry budget');
    };
    expect(() => underPath('createHttpClient', check)).toThrow(
      'Option createHttpClient.retry.budget is a text that is not shown; it must be a retry budget.',
    );
    expect(() => underPath('outer', () => underPath('inner', check))).toThrow(
      expect.objectContaining({
        path: 'outer.inner.retry.budget',
        received: 'a text that is not shown',
        allowed: 'a retry budget',
      }),
    );
  });

  it('returns the result of the check, and rethrows other errors unchanged', () => {
    expect(underPath('a', () => 1)).toBe(1);
    const other = new TimeoutError('too slow', 50);
    expect(() =>
      underPath('a', () => {
        throw other;
      }),
    ).toThrow(other);
  });
});

describe('isMacadamError', () => {
  it('recognises every subclass, and compares the code', () => {
    const error: unknown = new TimeoutError('too slow', 50);
    expect(isMacadamError(error)).toBe(true);
    expect(isMacadamError(error, 'MAC_TIMEOUT')).toBe(true);
    expect(isMacadamError(error, 'MAC_OTHER')).toBe(false);
  });

  it.each([undefined, null, 0, 'MAC_TIMEOUT', {}, { code: 'MAC_TIMEOUT' }, new Error('MAC_TIMEOUT'), () => {}])(
    'is false for %s',
    (value) => {
      expect(isMacadamError(value)).toBe(false);
    },
  );

  it('recognises errors of another copy of the package, which instanceof does not', async () => {
    const copy = (await import(/* @vite-ignore */ `${'./errors.ts'}?copy`)) as typeof import('./errors.ts');
    expect(copy.TimeoutError).not.toBe(TimeoutError);
    const error: unknown = new copy.TimeoutError('too slow', 50);
    expect(error instanceof MacadamError).toBe(false);
    expect(isMacadamError(error, 'MAC_TIMEOUT')).toBe(true);
    const wrapped = new MacadamError('outer', { code: 'MAC_TEST', cause: error });
    expect(wrapped.toJSON()['cause']).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 50 });
  });

  it('is false for parsed JSON of an error', () => {
    const forged: unknown = JSON.parse(JSON.stringify(new TimeoutError('too slow', 50)));
    expect(isMacadamError(forged)).toBe(false);
  });
});
