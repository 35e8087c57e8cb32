// The upstream: GET /places/{name} returns all places with that name. Its condition decides how reliable it is.
//
//   node src/gazetteer.ts --port 4000 --condition storm --workers 4
import { parseArgs } from 'node:util';
import { assertOneOf } from '@macadam/core';
import { startFaultServer } from '@macadam/testkit';
import { conditions, faultRules } from './condition-faults.ts';
import { announceReady, exitWithParent, onParentMessage } from './parent-process.ts';
import { parseNumber } from './parse-number.ts';
import { attribution } from './place.ts';
import { createPlaceIndex } from './place-index.ts';
import type { Condition } from './scenario.ts';
import { workerPool } from './worker-pool.ts';

exitWithParent();
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '4000' },
    seed: { type: 'string', default: '13' },
    condition: { type: 'string', default: 'healthy' },
    workers: { type: 'string' },
  },
});
const seed = parseNumber('--seed', values.seed, {});
const { condition } = values;
assertOneOf('--condition', condition, conditions);
const index = createPlaceIndex();
/** Each request takes a worker 10 ms, so that four workers serve 400 requests a second. */
const serviceMs = 10;
const runOnWorker =
  values.workers === undefined
    ? undefined
    : workerPool(parseNumber('--workers', values.workers, { min: 1 }), serviceMs);

const server = await startFaultServer({
  port: parseNumber('--port', values.port, { min: 0, max: 65_535 }),
  faults: faultRules(condition, seed),
  async handle({ method, path }) {
    const [, name] = /^\/places\/([^/?]+)$/.exec(path) ?? [];
    if (name === undefined) return { status: 404, json: { detail: 'There is only /places/{name}.' } };
    if (method !== 'GET') return { status: 405, headers: { allow: 'GET' } };
    const respond = () => ({ json: { places: index.find(decodeURIComponent(name)), attribution } });
    return runOnWorker === undefined ? respond() : await runOnWorker(respond);
  },
});

onParentMessage(async ({ condition }: { condition: Condition }) => {
  const { requests } = server.stats();
  await server.setFaults(faultRules(condition, seed));
  return { requests };
});
announceReady({ url: server.url, names: index.sampleNames(2_000) });
