import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Contender, Subject } from '../../src/suite.ts';

/** What is asked of a server, and how often at a time. */
export interface Load {
  readonly bodyBytes: number;
  readonly inFlight: number;
  /**
   * Operations before anything is measured. Until some forty thousand requests have gone by, what is measured is how the
   * runtime compiles the parser, the streams and the client, for every contender; a service is past that in a minute.
   */
  readonly warmUp: number;
}

/** Makes what is measured, for the server at `url`. */
export type Setup = (url: string) => Promise<Subject>;

/** A way to do the job, to be put under any load. */
export type Way = (load: Load) => Contender;

/** @param from - the npm packages whose versions stand in the result */
export function way(name: string, from: Contender['from'], setup: Setup): Way {
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
 * The server has a process of its own, which is not measured, and inherits its client's core. On two cores both would sleep
 * between one request and the next, and half of what is measured would be the waking of a core: the same for every client,
 * and different every time.
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
