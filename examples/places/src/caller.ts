// A caller of the service, which gives up after a while.
import { Agent, get } from 'node:http';

/** How a call ended; `failed` is any response but a 429 or a 200 with places, `abandoned` that the caller gave up. */
export type Outcome = 'succeeded' | 'rateLimited' | 'failed' | 'connectionError' | 'abandoned';

export interface Caller {
  call(name: string, headers?: Readonly<Record<string, string>>): Promise<Outcome>;
  close(): void;
}

export function createCaller(serviceUrl: string, patienceMs: number): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  return {
    call: (name, headers = {}) =>
      new Promise((resolve) => {
        const request = get(`${serviceUrl}/places/${encodeURIComponent(name)}`, { agent, headers }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () => done(outcomeOf(response.statusCode, text)));
        });
        const patience = setTimeout(() => done('abandoned'), patienceMs);
        const done = (outcome: Outcome): void => {
          clearTimeout(patience);
          resolve(outcome);
          if (outcome === 'abandoned') request.destroy();
        };
        request.on('error', () => done('connectionError'));
        request.on('close', () => done('connectionError'));
      }),
    close: () => agent.destroy(),
  };
}

function outcomeOf(status: number | undefined, text: string): Outcome {
  if (status === 429) return 'rateLimited';
  return status === 200 && hasPlaces(text) ? 'succeeded' : 'failed';
}

function hasPlaces(text: string): boolean {
  const { places } = JSON.parse(text) as { places?: unknown[] };
  return places !== undefined && places.length > 0;
}
