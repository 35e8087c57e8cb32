// What every request handler needs: the deadline and priority of the caller, a span in the caller's trace, and one log line
// with everything that was done for the request.
import { hash } from 'node:crypto';
import { context, SpanKind } from '@opentelemetry/api';
import { priorities, type Priority } from '@macadam/core';
import { continueTrace, type Logger, withCanonicalLine, withSpan } from '@macadam/telemetry';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Runs `work` as a unit of work. Its priority and its time limit are those in the caller's headers; its tenant is the holder of
 * the caller's API key.
 */
export async function withRequestContext<T>(
  log: Logger,
  route: string,
  headers: IncomingHttpHeaders,
  work: () => Promise<T>,
): Promise<T> {
  const span = { kind: SpanKind.SERVER, attributes: { 'http.request.method': 'GET', 'http.route': route } };
  const unit = {
    name: `GET ${route}`,
    priority: priorityOf(headers),
    tenant: tenantOf(apiKeyOf(headers)),
    ...remainingTime(headers),
  };
  // Our callers are our own services, so their trace continues here. Do not trust the trace headers of external callers.
  const { context: callerContext } = continueTrace(headers, { trusted: true });
  return await context.with(callerContext, () => withSpan(unit.name, span, () => withCanonicalLine(log, unit, work)));
}

export function apiKeyOf(headers: IncomingHttpHeaders): string {
  const key = headers['x-api-key'];
  return typeof key === 'string' && key !== '' ? key : 'anonymous';
}

/** A digest of the API key: the tenant appears in the log, and API keys must not. */
function tenantOf(apiKey: string): string {
  return apiKey === 'anonymous' ? apiKey : hash('sha256', apiKey).slice(0, 12);
}

function priorityOf(headers: IncomingHttpHeaders): Priority {
  return priorities.find((priority) => priority === headers['x-request-priority']) ?? 'normal';
}

/** The remaining time that `@macadam/http` sends. Anyone can send the header, so invalid values are ignored. */
function remainingTime(headers: IncomingHttpHeaders): { timeoutMs?: number } {
  const text = headers['x-request-timeout-ms'];
  return typeof text === 'string' && /^\d{1,7}$/.test(text) ? { timeoutMs: Math.max(1, Number(text)) } : {};
}
