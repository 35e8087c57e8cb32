import { expect, it } from 'vitest';
import { invalidatedUrls } from './invalidation.ts';

it.each<[string, string, string, string[]]>([
  ['whose path only begins like the prefix', 'http://a:8080', '/v20/x', []],
  ['whose path only begins like the prefix, and the first endpoint has a prefix', 'http://a:8080/v1', '/v20/x', []],
  ['whose path is the prefix', 'http://a:8080/v1', '/v2?all', ['http://a:8080/v1?all']],
  ['whose path is below the prefix', 'http://a:8080/v1', '/v2/x', ['http://a:8080/v1/x']],
])(
  'maps a URL at another endpoint to the first endpoint only below its prefix: a URL %s',
  (_what, base, location, named) => {
    const endpoints = [{ origin: 'http://b:8080', pathPrefix: '/v2' }];
    const response = { status: 201, fields: { location }, redirects: [], endpoints };
    const atFirstEndpoint = base === 'http://a:8080' ? [base + location] : [];
    expect(invalidatedUrls(base, '/own', response)).toEqual([`${base}/own`, ...atFirstEndpoint, ...named]);
  },
);
