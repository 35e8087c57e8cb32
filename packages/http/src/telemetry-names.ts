/** The spans, canonical log fields and attributes of this package, for the telemetry catalogue in the documentation. */
import type { AttributeBound, TelemetryDescription } from '@macadam/core';
import { METHODS } from './trace-attributes.ts';

/** The attributes of the duration histogram. */
export const METRIC_ATTRIBUTES: Readonly<Record<string, AttributeBound>> = {
  'http.request.method': [...METHODS, '_OTHER'],
  'server.address': 'hosts of the base URL or the endpoints, and those that an allowed redirect leads to',
  'server.port': 'as `server.address`',
  'http.response.status_code': 'three digits',
  'network.protocol.version': ['1.1', '2'],
  'error.type': 'the status from 400 on, or the code of the error',
};

export const SPAN_NAMES: Omit<TelemetryDescription, 'scope' | 'metrics'> = {
  spans: [
    {
      name: '{client} {method} {template}',
      kind: 'INTERNAL',
      description:
        'A call that its request spans do not describe completely: it sent none or several, had to wait, or failed otherwise',
      attributes: ['macadam.http.client.name', 'macadam.http.attempts', 'error.type'],
    },
    {
      name: '{method} {template}',
      kind: 'CLIENT',
      description: 'One request on the wire: an attempt, a hedge, or what a redirect led to',
      attributes: [
        ...Object.keys(METRIC_ATTRIBUTES),
        ...['url.full', 'url.template', 'http.request.method_original', 'http.request.resend_count'],
      ],
    },
  ],
  annotations: ['httpCalls', 'httpAttempts', 'httpMs'],
  attributes: {
    'macadam.http.client.name': { type: 'string', description: 'The `name` of the client' },
    'macadam.http.client.connection.state': { type: 'string', description: 'The state of the connection' },
    'macadam.http.client.endpoint.state': {
      type: 'string',
      description: 'Whether calls go to the endpoint, or why not',
    },
    'macadam.http.client.ejection.reason': { type: 'string', description: 'Why an endpoint was ejected' },
    'macadam.http.client.region.state': { type: 'string', description: 'Whether calls go to the region' },
    'macadam.http.client.region.change': { type: 'string', description: 'How the region changed' },
    'macadam.http.client.cache.result': { type: 'string', description: 'What the cache did' },
    'macadam.http.attempts': { type: 'int', description: 'Requests on the wire that a call took' },
    'macadam.outcome': { type: 'string', description: 'How it ended' },
    'http.request.method': { type: 'string', description: 'The method, when it is a known one' },
    'http.request.method_original': { type: 'string', description: 'The method, when it is not a known one' },
    'http.request.resend_count': { type: 'int', description: 'Requests of the same call before this one, from 1' },
    'http.response.status_code': { type: 'int', description: 'The status of the response' },
    'network.protocol.version': { type: 'string', description: 'The version of HTTP' },
    'server.address': { type: 'string', description: 'The host' },
    'server.port': { type: 'int', description: 'The port' },
    'url.full': {
      type: 'string',
      description: 'The URL, with the names of path parameters and without credentials and secret query values',
    },
    'url.template': { type: 'string', description: 'The path with the names of its parameters' },
    'error.type': { type: 'string', description: 'The status from 400 on, or the code of the error' },
    httpCalls: { type: 'int', description: 'Calls of all clients' },
    httpAttempts: { type: 'int', description: 'Attempts of these calls' },
    httpMs: { type: 'double', description: 'Milliseconds spent on these calls, summed' },
  },
};
