// The service: GET /places/{name} answers where the places of that name are. It asks the gazetteer, in one of two ways.
//
//   node src/places.ts --lookup macadam --gazetteer http://127.0.0.1:4000 --port 3000
import { parseArgs } from 'node:util';
import Fastify from 'fastify';
import { LookupError } from './lookup.ts';
import { fetchLookup } from './lookup-fetch.ts';
import { macadamLookup } from './lookup-macadam.ts';
import { announceReady, endWithParent } from './parent.ts';
import { attribution } from './place.ts';

endWithParent();
const { values } = parseArgs({
  options: {
    lookup: { type: 'string', default: 'macadam' },
    gazetteer: { type: 'string', default: 'http://127.0.0.1:4000' },
    port: { type: 'string', default: '3000' },
  },
});

const lookup = values.lookup === 'fetch' ? fetchLookup(values.gazetteer) : macadamLookup(values.gazetteer);
const app = Fastify();

app.get<{ Params: { name: string } }>('/places/:name', async (request, reply) => {
  const places = await lookup.find(request.params.name);
  if (places.length === 0) return await problem(reply, 404, 'Not Found', 'No place has that name.');
  return { places, attribution };
});

app.get('/stats', () => lookup.activity());

app.setErrorHandler(async (error, _request, reply) => {
  if (!(error instanceof LookupError))
    return await problem(reply, 500, 'Internal Server Error', 'Something broke here.');
  return await problem(reply, error.status, titles[error.status], error.message);
});

app.addHook('onClose', () => lookup.close());

const titles = { 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout' };

/** RFC 9457. */
async function problem(reply: Reply, status: number, title: string, detail: string): Promise<Reply> {
  return reply.code(status).type('application/problem+json').send({ type: 'about:blank', title, status, detail });
}

type Reply = import('fastify').FastifyReply;

announceReady({ url: await app.listen({ host: '127.0.0.1', port: Number(values.port) }) });
