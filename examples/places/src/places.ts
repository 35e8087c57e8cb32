// The service: GET /places/{name} returns the places with that name. It looks them up in the gazetteer.
//
//   node src/places.ts --lookup macadam --gazetteer http://127.0.0.1:4000 --port 3000 --cache --protect --log info
import { parseArgs } from 'node:util';
import { assertOneOf } from '@macadam/core';
import { refusalResponse } from '@macadam/ratelimit';
import { createLogger } from '@macadam/telemetry';
import { startTelemetry } from '@macadam/telemetry/node';
import Fastify from 'fastify';
import { protectedAdmission, RateLimitedError, unlimitedAdmission } from './admission.ts';
import { LookupError } from './lookup.ts';
import { cachedLookup } from './lookup-cached.ts';
import { fetchLookup } from './lookup-fetch.ts';
import { macadamLookup } from './lookup-macadam.ts';
import { announceReady, closeOnSignal, exitWithParent } from './parent-process.ts';
import { parseNumber } from './parse-number.ts';
import { attribution } from './place.ts';
import { apiKeyOf, withRequestContext } from './request-context.ts';

exitWithParent();
const { values } = parseArgs({
  options: {
    lookup: { type: 'string', default: 'macadam' },
    gazetteer: { type: 'string', default: 'http://127.0.0.1:4000' },
    port: { type: 'string', default: '3000' },
    cache: { type: 'boolean', default: false },
    protect: { type: 'boolean', default: false },
    log: { type: 'string', default: 'silent' },
  },
});

assertOneOf('--lookup', values.lookup, ['macadam', 'fetch']);
const port = parseNumber('--port', values.port, { min: 0, max: 65_535 });

// Sends traces and metrics to OTEL_EXPORTER_OTLP_ENDPOINT; does nothing if that is not set.
const telemetry = startTelemetry({ serviceName: 'places' });
const log = createLogger({ name: 'places', level: values.log });
const uncached = values.lookup === 'fetch' ? fetchLookup(values.gazetteer) : macadamLookup(values.gazetteer);
const lookup = values.cache ? cachedLookup(uncached) : uncached;
const admission = values.protect ? protectedAdmission() : unlimitedAdmission;
const app = Fastify();

app.get<{ Params: { name: string } }>('/places/:name', async ({ headers, params }, reply) => {
  const places = await withRequestContext(log, '/places/{name}', headers, () =>
    admission.admit(apiKeyOf(headers), () => lookup.find(params.name)),
  );
  if (places.length === 0) return await problem(reply, 404, 'Not Found', 'There is no place with that name.');
  return { places, attribution };
});

app.get('/stats', () => lookup.activity());

app.setErrorHandler(async (error, _request, reply) => {
  if (error instanceof RateLimitedError) {
    return await problem(reply.headers(error.headers), error.status, titles[error.status], error.message);
  }
  // The response for an error of the load shedder; undefined for other errors.
  const refusal = refusalResponse(error);
  if (refusal !== undefined) {
    const detail = 'The service is overloaded. Try again later.';
    return await problem(reply.headers(refusal.headers), refusal.status, titles[refusal.status], detail);
  }
  if (error instanceof LookupError) return await problem(reply, error.status, titles[error.status], error.message);
  // Details of an unexpected error are for the log, not for the caller.
  return await problem(reply, 500, 'Internal Server Error', 'The service failed.');
});

// Closes connections after their last response during shutdown: an idle keep-alive connection would delay the exit.
let isClosing = false;
app.addHook('preClose', async () => {
  isClosing = true;
});
app.addHook('onSend', async (_request, reply) => {
  if (isClosing) reply.header('connection', 'close');
});

app.addHook('onClose', async () => {
  await admission.close();
  await lookup.close();
  await telemetry.shutdown();
});

const titles = { 429: 'Too Many Requests', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout' };

/** Sends a problem details response (RFC 9457). */
async function problem(reply: Reply, status: number, title: string, detail: string): Promise<Reply> {
  return reply.code(status).type('application/problem+json').send({ type: 'about:blank', title, status, detail });
}

type Reply = import('fastify').FastifyReply;

announceReady({ url: await app.listen({ host: '127.0.0.1', port }) });
closeOnSignal(() => app.close());
