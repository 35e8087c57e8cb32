// The service: GET /places/{name} answers where the places of that name are. It asks the gazetteer, in one of two ways.
//
//   node src/places.ts --lookup macadam --gazetteer http://127.0.0.1:4000 --port 3000 --cache --guard --log info
import { parseArgs } from 'node:util';
import { assertOneOf } from '@macadam/core';
import { refusalResponse } from '@macadam/ratelimit';
import { createLogger } from '@macadam/telemetry';
import { startTelemetry } from '@macadam/telemetry/node';
import Fastify from 'fastify';
import { guardedDoor, openDoor, RefusedError } from './front-door.ts';
import { LookupError } from './lookup.ts';
import { cachedLookup } from './lookup-cached.ts';
import { fetchLookup } from './lookup-fetch.ts';
import { macadamLookup } from './lookup-macadam.ts';
import { apiKeyOf, observed } from './observed.ts';
import { numberOf } from './numbers.ts';
import { announceReady, endOnSignal, endWithParent } from './parent.ts';
import { attribution } from './place.ts';

endWithParent();
const { values } = parseArgs({
  options: {
    lookup: { type: 'string', default: 'macadam' },
    gazetteer: { type: 'string', default: 'http://127.0.0.1:4000' },
    port: { type: 'string', default: '3000' },
    cache: { type: 'boolean', default: false },
    guard: { type: 'boolean', default: false },
    log: { type: 'string', default: 'silent' },
  },
});

assertOneOf('--lookup', values.lookup, ['macadam', 'fetch']);
const port = numberOf('--port', values.port, { min: 0, max: 65_535 });

// Sends traces and metrics where OTEL_EXPORTER_OTLP_ENDPOINT says; without it, does nothing.
const telemetry = startTelemetry({ serviceName: 'places' });
const log = createLogger({ name: 'places', level: values.log });
const direct = values.lookup === 'fetch' ? fetchLookup(values.gazetteer) : macadamLookup(values.gazetteer);
const lookup = values.cache ? cachedLookup(direct) : direct;
const door = values.guard ? guardedDoor() : openDoor;
const app = Fastify();

app.get<{ Params: { name: string } }>('/places/:name', async ({ headers, params }, reply) => {
  const places = await observed(log, '/places/{name}', headers, () =>
    door.admit(apiKeyOf(headers), () => lookup.find(params.name)),
  );
  if (places.length === 0) return await problem(reply, 404, 'Not Found', 'No place has that name.');
  return { places, attribution };
});

app.get('/stats', () => lookup.activity());

app.setErrorHandler(async (error, _request, reply) => {
  if (error instanceof RefusedError)
    return await problem(reply.headers(error.headers), error.status, titles[error.status], error.message);
  const full = refusalResponse(error);
  if (full !== undefined)
    return await problem(reply.headers(full.headers), full.status, titles[full.status], 'There is no room now.');
  if (!(error instanceof LookupError))
    return await problem(reply, 500, 'Internal Server Error', 'Something broke here.');
  return await problem(reply, error.status, titles[error.status], error.message);
});

// Who is answered while the service ends is told that the connection ends with it: kept alive, it would keep the service.
let ending = false;
app.addHook('preClose', async () => {
  ending = true;
});
app.addHook('onSend', async (_request, reply) => {
  if (ending) reply.header('connection', 'close');
});

app.addHook('onClose', async () => {
  await door.close();
  await lookup.close();
  await telemetry.shutdown();
});

const titles = { 429: 'Too Many Requests', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout' };

/** RFC 9457. */
async function problem(reply: Reply, status: number, title: string, detail: string): Promise<Reply> {
  return reply.code(status).type('application/problem+json').send({ type: 'about:blank', title, status, detail });
}

type Reply = import('fastify').FastifyReply;

announceReady({ url: await app.listen({ host: '127.0.0.1', port }) });
endOnSignal(() => app.close());
