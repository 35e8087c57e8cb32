export interface TestServer {
  readonly name: string;
  /** Undefined if the server is not available: its tests are skipped, and the run reports it. */
  readonly url: string | undefined;
}

/** Redis 7 and Valkey 8.1 have different commands; tests that depend on them run with both. */
export const servers: readonly TestServer[] = [
  { name: 'Redis', url: process.env['REDIS_URL'] },
  { name: 'Valkey', url: process.env['VALKEY_URL'] },
];

/** The URL of the Redis for tests, which `npm run unit` and `npm test` start. */
export function redisUrl(): string {
  const url = process.env['REDIS_URL'];
  if (url === undefined || url === '') throw new Error('Set REDIS_URL, or run the tests with `npm run unit`.');
  return url;
}

export interface ServerProgram {
  readonly name: string;
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The programs of the servers that are available to start. */
export function serverPrograms(): ServerProgram[] {
  const { REDIS_SERVER: redis, REDIS_SERVER_LIBRARIES: libraries, VALKEY_SERVER: valkey } = process.env;
  const env = { ...process.env, ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }) };
  return [
    ...(redis === undefined ? [] : [{ name: 'Redis', program: redis, env }]),
    ...(valkey === undefined ? [] : [{ name: 'Valkey', program: valkey, env: process.env }]),
  ];
}
