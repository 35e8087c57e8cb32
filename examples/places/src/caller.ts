// One user of the service: asks, and waits for as long as a patient person would.
import { Agent, get } from 'node:http';

/** How a call ended: with the right answer, a 429, another answer that says no, none, or never (the caller left). */
export type Ending = 'answered' | 'limited' | 'refused' | 'broken' | 'gaveUp';

export interface Caller {
  call(name: string, headers?: Readonly<Record<string, string>>): Promise<Ending>;
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
          response.on('end', () => done(endingOf(response.statusCode, text)));
        });
        const patience = setTimeout(() => done('gaveUp'), patienceMs);
        const done = (ending: Ending): void => {
          clearTimeout(patience);
          resolve(ending);
          if (ending === 'gaveUp') request.destroy();
        };
        request.on('error', () => done('broken'));
        request.on('close', () => done('broken'));
      }),
    close: () => agent.destroy(),
  };
}

function endingOf(status: number | undefined, text: string): Ending {
  if (status === 429) return 'limited';
  return status === 200 && hasPlaces(text) ? 'answered' : 'refused';
}

function hasPlaces(text: string): boolean {
  const { places } = JSON.parse(text) as { places?: unknown[] };
  return places !== undefined && places.length > 0;
}
