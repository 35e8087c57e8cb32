// What on-call sees of a request: a span under the caller's trace, and one line in the log with all that was done for it.
import { hash } from 'node:crypto';
import { context, SpanKind } from '@opentelemetry/api';
import { priorities, type Priority } from '@macadam/core';
import { continueTrace, type Logger, withCanonicalLine, withSpan } from '@macadam/telemetry';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Runs `work` as a unit of work with the priority and the time left that the caller's headers name, and their API key's holder
 * as its tenant.
 */
export async function observed<T>(
  log: Logger,
  route: string,
  headers: IncomingHttpHeaders,
  work: () => Promise<T>,
): Promise<T> {
  const span = { kind: SpanKind.SERVER, attributes: { 'http.request.method': 'GET', 'http.route': route } };
  const unit = {
    name: `GET ${route}`,
    priority: priorityOf(headers),
    tenant: holderOf(apiKeyOf(headers)),
    ...timeLeft(headers),
  };
  // Our callers are services of our own, so their trace goes on here. Callers from outside are not to be trusted with it.
  const { context: caller } = continueTrace(headers, { trusted: true });
  return await context.with(caller, () => withSpan(unit.name, span, () => withCanonicalLine(log, unit, work)));
}

export function apiKeyOf(headers: IncomingHttpHeaders): string {
  const key = headers['x-api-key'];
  return typeof key === 'string' && key !== '' ? key : 'anonymous';
}

/** The tenant stands in the log, where no key may: told apart by a digest. */
function holderOf(apiKey: string): string {
  return apiKey === 'anonymous' ? apiKey : hash('sha256', apiKey).slice(0, 12);
}

function priorityOf(headers: IncomingHttpHeaders): Priority {
  return priorities.find((priority) => priority === headers['x-request-priority']) ?? 'normal';
}

/** What `@macadam/http` tells of the caller's deadline. Anyone can send it, so what is no whole number is passed over. */
function timeLeft(headers: IncomingHttpHeaders): { timeoutMs?: number } {
  const text = headers['x-request-timeout-ms'];
  return typeof text === 'string' && /^\d{1,7}$/.test(text) ? { timeoutMs: Math.max(1, Number(text)) } : {};
}
