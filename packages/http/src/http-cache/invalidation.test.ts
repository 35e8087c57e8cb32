import { expect, it } from 'vitest';
import { outdatedUrls } from './invalidation.ts';

it.each<[string, string, string, string[]]>([
  ['with a prefix that only begins alike', 'http://a:8080', '/v20/x', []],
  ['with a prefix that only begins alike, where the first has one too', 'http://a:8080/v1', '/v20/x', []],
  ['that is the prefix itself', 'http://a:8080/v1', '/v2?all', ['http://a:8080/v1?all']],
  ['below the prefix', 'http://a:8080/v1', '/v2/x', ['http://a:8080/v1/x']],
])('of a place, a URL %s', (_what, base, location, named) => {
  const places = [{ origin: 'http://b:8080', pathPrefix: '/v2' }];
  const changed = { status: 201, fields: { location }, redirects: [], places };
  const atFirst = base === 'http://a:8080' ? [base + location] : [];
  expect(outdatedUrls(base, '/own', changed)).toEqual([`${base}/own`, ...atFirst, ...named]);
});
