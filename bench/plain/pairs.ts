/** Two contenders of a case of the harness, by their names there. */
export interface Pair {
  readonly suite: string;
  readonly case: string;
  readonly of: string;
  readonly to: string;
}

/**
 * One ratio of each kind: over a socket, through policies, in memory with and without a promise, log lines, and
 * signatures.
 */
export const pairs: readonly Pair[] = [
  { suite: 'http', case: 'small JSON, one at a time', of: 'macadam get', to: 'undici pool.request' },
  { suite: 'http', case: 'small JSON, one at a time', of: 'macadam get', to: 'got' },
  {
    ...{ suite: 'resilience', case: 'five layers, success' },
    ...{ of: 'macadam standardPipeline', to: 'cockatiel wrap(retry, breaker, timeout)' },
  },
  { suite: 'cache', case: 'memory, synchronous', of: 'macadam peek', to: 'lru-cache get' },
  { suite: 'cache', case: 'memory, get or load', of: 'macadam getOrLoad', to: 'bentocache getOrSet' },
  { suite: 'ratelimit', case: 'memory, one key', of: 'macadam tryTake', to: 'rate-limiter-flexible memory' },
  { suite: 'telemetry', case: 'five fields', of: 'macadam', to: 'pino, no redaction' },
  { suite: 'auth', case: 'verify HS256, uncached', of: 'macadam', to: 'jose jwtVerify' },
];
