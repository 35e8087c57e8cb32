// The upstream: GET /places/{name} answers with every place of that name. It is as reliable as its parent wants it.
//
//   node src/gazetteer.ts --port 4000 --weather storm --clerks 4
import { parseArgs } from 'node:util';
import { assertOneOf } from '@macadam/core';
import { startFaultServer } from '@macadam/testkit';
import { clerks } from './clerks.ts';
import { numberOf } from './numbers.ts';
import { announceReady, answerParent, endWithParent } from './parent.ts';
import { attribution } from './place.ts';
import { createPlaceIndex } from './place-index.ts';
import type { Weather } from './script.ts';
import { faultRules, weathers } from './weather-faults.ts';

endWithParent();
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4000' },
    seed: { type: 'string', default: '13' },
    weather: { type: 'string', default: 'healthy' },
    clerks: { type: 'string' },
  },
});
const seed = numberOf('--seed', values.seed, {});
const { weather } = values;
assertOneOf('--weather', weather, weathers);
const index = createPlaceIndex();
/** Ten milliseconds each: four of them serve 400 requests a second. */
const served = values.clerks === undefined ? undefined : clerks(numberOf('--clerks', values.clerks, { min: 1 }), 10);

const server = await startFaultServer({
  port: numberOf('--port', values.port, { min: 0, max: 65_535 }),
  faults: faultRules(weather, seed),
  async handle({ method, path }) {
    const [, name] = /^\/places\/([^/?]+)$/.exec(path) ?? [];
    if (name === undefined) return { status: 404, json: { detail: 'There is only /places/{name}.' } };
    if (method !== 'GET') return { status: 405, headers: { allow: 'GET' } };
    const answer = () => ({ json: { places: index.find(decodeURIComponent(name)), attribution } });
    return served === undefined ? answer() : await served(answer);
  },
});

answerParent(async ({ weather }: { weather: Weather }) => {
  const { requests } = server.stats();
  await server.setFaults(faultRules(weather, seed));
  return { requests };
});
announceReady({ url: server.url, names: index.sampleNames(2_000) });
