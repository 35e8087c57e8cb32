import type { Transport } from './dispatcher.ts';
import type { HttpCache } from './http-cache/http-cache.ts';
import type { Policies } from './policies.ts';
import { describeRedirects } from './redirect-options.ts';
import type { HttpClientSettings } from './settings.ts';
import { describeStreams } from './stream/options.ts';

interface ClientParts {
  readonly transport: Transport;
  readonly policies: Policies;
  readonly cache: HttpCache | undefined;
}

/** The text of `describe()`: the effective options of a client. */
export function describeClient(settings: HttpClientSettings, { transport, policies, cache }: ClientParts): string {
  const { name, origin, pathPrefix, peer, limits, streams, retry, rules, redirects, auth } = settings;
  return [
    `http client "${name}" for ${origin}${pathPrefix} (${peer} peer), over ${transport.describe()}`,
    ...policies.describe().map((policy) => `- ${policy}`),
    ...(retry === false
      ? []
      : [`- retries ${[...rules.methods].join(', ')} on ${[...rules.statuses].join(', ')} and on network failures`]),
    `- reads up to ${limits.maxBytes} bytes, ${limits.maxRatio} times the size on the wire, ${limits.maxEncodings} encodings`,
    `- ${describeStreams(streams)}`,
    `- ${describeRedirects(redirects)}${auth === undefined ? '' : '; requests credentials for every attempt'}`,
    ...(cache === undefined ? [] : [`- ${cache.describe()}`]),
  ].join('\n');
}
