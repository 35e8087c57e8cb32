import { Writable } from 'node:stream';
import fastify from 'fastify';
import pino from 'pino';
import pretty from 'pino-pretty';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { capture } from './capture.ts';

describe('Fastify', () => {
  it('accepts the logger as loggerInstance, with its serializers and a child per request', async () => {
    const { log, lines } = capture({ name: 'web' });
    const app = fastify({ loggerInstance: log });
    app.get('/items/:id', (request) => {
      request.log.info({ item: 7 }, 'inside');
      return { ok: true };
    });
    app.get('/fails', () => {
      throw Object.assign(new Error('boom'), { code: 'E_BOOM' });
    });
    await app.inject({ url: '/items/7?access_token=s3cretvalue', headers: { authorization: 'Bearer s3cretvalue' } });
    await app.inject('/fails');
    await app.close();
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed).toMatchObject([
      { reqId: 'req-1', req: { method: 'GET', url: '/items/7?access_token=[redacted]' }, msg: 'incoming request' },
      { reqId: 'req-1', item: 7, msg: 'inside' },
      { reqId: 'req-1', res: { statusCode: 200 }, msg: 'request completed' },
      { reqId: 'req-2', msg: 'incoming request' },
      { reqId: 'req-2', level: 50, err: { message: 'boom', code: 'E_BOOM' } },
      { reqId: 'req-2', res: { statusCode: 500 }, msg: 'request completed' },
    ]);
    expect(lines.join()).not.toContain('s3cretvalue');
  });
});

describe('pino-pretty', () => {
  async function prettied(write: (to: { write(line: string): void }) => void): Promise<string> {
    let text = '';
    const sink = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk);
        done();
      },
    });
    const stream = pretty({ colorize: false, destination: sink, ignore: 'time,pid,hostname' });
    write({ write: (line) => void stream.write(line) });
    stream.end();
    await new Promise((resolve) => sink.on('finish', resolve));
    return text;
  }

  it('prints lines of this logger like those of pino', async () => {
    const calls = (log: { info(...args: unknown[]): void; warn(...args: unknown[]): void }): void => {
      log.info({ orderId: 17, nested: { a: [1, 2] } }, 'order %s', 'placed');
      log.warn('careful');
    };
    const ours = await prettied((to) => calls(capture({ destination: to, name: 'orders' }).log as never));
    const theirs = await prettied((to) => calls(pino({ name: 'orders' }, to) as never));
    expect(ours).toBe(theirs);
    expect(ours).toContain('INFO (orders): order placed');
  });

  it('prints the stack of an error', async () => {
    const ours = await prettied((to) => capture({ destination: to }).log.error(new TypeError('boom')));
    expect(ours).toContain('ERROR: boom');
    expect(ours).toContain('"type": "TypeError"');
  });
});

describe('pino itself', () => {
  const field = { a: 1, b: 'text', c: true, d: null, e: [1, { f: 'x' }], g: { h: 1.5 } };
  it.each([
    ['a message', ['hello']],
    ['fields', [field]],
    ['fields and a message', [field, 'hello']],
    ['placeholders', ['%s is %d and %i, %j', 'x', 1.5, 2.7, { a: 1 }]],
    ['too many arguments', ['hello %s', 'a', 'b']],
    ['quotes and line feeds', [{ text: 'a "b"\n\\' }, 'c\t']],
    ['undefined fields', [{ a: undefined, b: () => 1 }]],
    ['numbers without a JSON form', [{ a: Number.NaN, b: Infinity }]],
  ])('writes the same line for %s', (_name, args) => {
    const { log, lines } = capture({ name: 'x', clock: Object.assign(virtualClock(), { now: () => 0 }) });
    (log.info as (...all: unknown[]) => void)(...args);
    const theirs: string[] = [];
    const peer = pino(
      { name: 'x', timestamp: () => ',"time":0' },
      { write: (line: string) => void theirs.push(line.trim()) },
    );
    (peer.info as (...all: unknown[]) => void)(...args);
    expect(lines).toEqual(theirs);
  });
});
