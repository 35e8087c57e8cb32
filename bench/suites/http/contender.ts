import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Contender, Subject } from '../../src/suite.ts';

/** The size of the response body, and the number of concurrent requests. */
export interface Load {
  readonly bodyBytes: number;
  readonly inFlight: number;
  /**
   * Operations before measuring starts. During the first forty thousand requests or so the cost is dominated by
   * compiling the parser, the streams and the client, for every contender; a service is past that within a minute.
   */
  readonly warmUp: number;
}

/** Creates the subject for the server at `url`. */
export type Setup = (url: string) => Promise<Subject>;

/** Creates a contender for a given load. */
export type ContenderFactory = (load: Load) => Contender;

/** @param from - the npm packages whose versions are recorded in the result */
export function contender(name: string, from: Contender['from'], setup: Setup): ContenderFactory {
  return ({ bodyBytes, inFlight, warmUp }) => ({
    name,
    ...(from !== undefined && { from }),
    setup: async () => {
      const server = await serve(bodyBytes);
      const subject = await setup(server.url);
      return {
        ...{ inFlight, warmUp },
        run: subject.run,
        close: async () => {
          await subject.close?.();
          server.close();
        },
      };
    },
  });
}

/**
 * The server runs in a process of its own, which is not measured, and inherits the core of its client. On separate cores
 * each of the two would sleep between requests, and half of the measured cost would be waking a core: the same for every
 * client, and different in every run.
 */
async function serve(bodyBytes: number): Promise<{ url: string; close: () => void }> {
  const script = join(import.meta.dirname, '..', '..', 'src', 'json-server.ts');
  const server = fork(script, [String(bodyBytes)], { execArgv: ['--no-warnings'] });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('message', resolve);
    server.once('error', reject);
  });
  return { url: `http://127.0.0.1:${port}`, close: () => void server.kill() };
}
