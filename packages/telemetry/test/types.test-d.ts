import type { FastifyBaseLogger } from 'fastify';
import type { Span } from '@opentelemetry/api';
import { expectTypeOf, test } from 'vitest';
import {
  createLogger,
  defineSlo,
  type Logger,
  pii,
  type Pii,
  secret,
  type Secret,
  withCanonicalLine,
  withSpan,
} from '../src/index.ts';

const log = createLogger();

test('the calls of pino are the calls of the logger', () => {
  log.info('text');
  log.info('text %s', 1, {});
  log.info({ a: 1 });
  log.info({ a: 1 }, 'text %s', 'x');
  log.error(new Error('x'), 'text');
  // @ts-expect-error a message is a string
  log.info(1);
  // @ts-expect-error the message after fields is a string
  log.info({ a: 1 }, 2);
  expectTypeOf(log).toExtend<FastifyBaseLogger>();
  expectTypeOf(log.child({ a: 1 })).toEqualTypeOf<Logger>();
});

test('wrapped values give back what they hold', () => {
  expectTypeOf(secret('x')).toEqualTypeOf<Secret<string>>();
  expectTypeOf(pii(7)).toEqualTypeOf<Pii<number>>();
  expectTypeOf(secret({ a: 1 }).reveal()).toEqualTypeOf<{ a: number }>();
});

test('what wraps a function returns what it returns', () => {
  expectTypeOf(withSpan('x', () => 1)).toEqualTypeOf<number>();
  expectTypeOf(withSpan('x', {}, async (span: Span) => span.isRecording())).toEqualTypeOf<Promise<boolean>>();
  expectTypeOf(withCanonicalLine(log, { name: 'x' }, async () => 'y')).toEqualTypeOf<Promise<string>>();
});

test('a level may come from the environment, and is then checked when the logger is made', () => {
  createLogger({ level: process.env['LOG_LEVEL'] ?? 'info' });
});

test('options that do not exist are refused', () => {
  // @ts-expect-error a misspelt option
  createLogger({ levl: 'info' });
  // @ts-expect-error runbookUrl is required
  defineSlo({ name: 'orders-availability', objective: 0.999, sli: { availability: {} } });
});
