import pino from 'pino';
import { createLogger } from '@macadam/telemetry';
let bytes = 0;
const dest = {
  write(s: string) {
    bytes += s.length;
  },
};
const ours = createLogger({ destination: dest });
const theirs = pino({}, dest);
const theirsRedact = pino({ redact: ['a.b.token', 'user.password', 'headers.authorization'] }, dest);
const five = { orderId: 17, plan: 'premium', ok: true, region: 'eu-central-1', durationMs: 12.5 };
const nested = {
  user: { id: 'u-17', name: 'Ada', password: 'x', plan: 'pro', tags: ['a', 'b', 'c'] },
  headers: { authorization: 'Bearer x', accept: 'application/json', 'user-agent': 'curl/8', host: 'orders.internal' },
  a: { b: { token: 'abc', c: 1, d: 2, e: { f: 'deep', g: null, h: false } } },
  list: [1, 2, 3, 4],
  total: 12.5,
  currency: 'EUR',
  at: '2026-11-22T00:00:00Z',
};
const cases: [string, () => void, () => void][] = [
  ['plain', () => ours.info('hello world'), () => theirs.info('hello world')],
  ['five', () => ours.info(five, 'order placed'), () => theirs.info(five, 'order placed')],
  ['nested', () => ours.info(nested, 'order placed'), () => theirsRedact.info(nested, 'order placed')],
  ['disabled', () => ours.debug('x'), () => theirs.debug('x')],
];
const time = (f: () => void, n: number) => {
  const t = process.hrtime.bigint();
  for (let i = 0; i < n; i++) f();
  return Number(process.hrtime.bigint() - t) / n;
};
for (const [name, a, b] of cases) {
  const n = 50_000;
  let ra = Infinity,
    rb = Infinity;
  for (let round = 0; round < 12; round++) {
    ra = Math.min(ra, time(a, n));
    rb = Math.min(rb, time(b, n));
  }
  console.log(name, 'ours', ra.toFixed(0), 'pino', rb.toFixed(0), (ra / rb).toFixed(2));
}
