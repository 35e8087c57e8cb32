export interface TestServer {
  readonly name: string;
  /** Undefined where there is none: its tests are skipped, and the run says so. */
  readonly url: string | undefined;
}

/** What Redis 7 and Valkey 8.1 do differently is which commands they have: each kind runs what depends on that. */
export const servers: readonly TestServer[] = [
  { name: 'Redis', url: process.env['REDIS_URL'] },
  { name: 'Valkey', url: process.env['VALKEY_URL'] },
];

/** Where the tests' Redis is: `npm run unit` and `npm test` bring one. */
export function redisUrl(): string {
  const url = process.env['REDIS_URL'];
  if (url === undefined || url === '') throw new Error('Set REDIS_URL, or run the tests by `npm run unit`.');
  return url;
}

export interface ServerProgram {
  readonly name: string;
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The servers that the workspace's tests brought; those that there are to start. */
export function serverPrograms(): ServerProgram[] {
  const { REDIS_SERVER: redis, REDIS_SERVER_LIBRARIES: libraries, VALKEY_SERVER: valkey } = process.env;
  const env = { ...process.env, ...(libraries !== '' && { LD_LIBRARY_PATH: libraries }) };
  return [
    ...(redis === undefined ? [] : [{ name: 'Redis', program: redis, env }]),
    ...(valkey === undefined ? [] : [{ name: 'Valkey', program: valkey, env: process.env }]),
  ];
}
