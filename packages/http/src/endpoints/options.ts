import {
  assertFunction,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertText,
  OptionsError,
} from '@macadam/core';
import { parseBaseUrl } from '../base-url.ts';
import { authorityOf, inferPeer, type Peer } from '../peer.ts';

/** One endpoint of a service. */
export interface EndpointOptions {
  /** Scheme, host and path prefix of requests to it, without credentials, query and fragment. Each endpoint needs its own host or port. */
  url: string;
  /** Its share of the calls relative to the other endpoints, above 0. Default: 1. */
  weight?: number;
  /** The region it belongs to. Calls go to the first healthy region, in the order of the list. Default: one region for all. */
  region?: string;
  /** The zone it belongs to. A retry prefers an endpoint in another zone. Default: none. */
  zone?: string;
}

/** The endpoints of a service, or a function that returns them, called before the first call and every 30 s. */
export type EndpointsOption =
  readonly EndpointOptions[] | (() => readonly EndpointOptions[] | Promise<readonly EndpointOptions[]>);

/** A validated and parsed endpoint. */
export interface EndpointTarget {
  readonly origin: string;
  /** Host and port. */
  readonly authority: string;
  /** Without a trailing slash. */
  readonly pathPrefix: string;
  readonly weight: number;
  readonly region: string;
  readonly zone: string | undefined;
}

/** Where the endpoints of a client come from. */
export interface EndpointsSettings {
  /** The fixed list; undefined when `source` returns the list. */
  readonly targets: readonly EndpointTarget[] | undefined;
  readonly source: (() => readonly EndpointOptions[] | Promise<readonly EndpointOptions[]>) | undefined;
  readonly ejectsOutliers: boolean;
}

/** Throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong list: no two endpoints may have the same host and port. */
export function parseEndpoints(list: unknown, path = 'endpoints'): readonly EndpointTarget[] {
  if (!Array.isArray(list) || list.length === 0) throw new OptionsError(path, list, 'a list of at least one endpoint');
  const authorities = new Set<string>();
  return list.map((options: EndpointOptions, i) => {
    assertObject(`${path}[${i}]`, options);
    assertKnownOptions(`${path}[${i}]`, options, ['url', 'weight', 'region', 'zone']);
    const { url, weight = 1, region = '', zone } = options;
    const parsed = parseBaseUrl(url, `${path}[${i}].url`);
    assertNumber(`${path}[${i}].weight`, weight, { above: 0 });
    if (options.region !== undefined) assertText(`${path}[${i}].region`, region);
    if (zone !== undefined) assertText(`${path}[${i}].zone`, zone);
    const { origin } = parsed;
    const authority = authorityOf(parsed);
    if (authorities.has(authority))
      throw new OptionsError(`${path}[${i}].url`, origin, 'at another host or port than the others');
    authorities.add(authority);
    return {
      origin,
      authority,
      pathPrefix: parsed.pathname.replace(/\/+$/, ''),
      weight,
      region,
      zone,
    };
  });
}

/** Stands for all endpoints where a single URL is needed, for example in the error of a call that was never sent. */
export interface EndpointsBase {
  readonly origin: string;
  readonly host: string;
  readonly peer: Peer;
}

export function endpointsSettings(
  { endpoints, outlierEjection: ejectsOutliers }: { endpoints: EndpointsOption; outlierEjection: boolean },
  name: string | undefined,
): { settings: EndpointsSettings; base: EndpointsBase } {
  if (typeof endpoints !== 'function') {
    const targets = parseEndpoints(endpoints);
    const { origin, authority } = targets[0] as EndpointTarget;
    const external = targets.some((target) => inferPeer(new URL(target.origin).hostname) === 'external');
    return {
      settings: { targets, source: undefined, ejectsOutliers },
      base: { origin, host: authority, peer: external ? 'external' : 'internal' },
    };
  }
  assertFunction('endpoints', endpoints);
  if (name === undefined) throw new OptionsError('name', name, 'given, when endpoints is a function');
  // The reserved domain `.invalid` never resolves (RFC 6761): requests go to the endpoints only.
  const host = `${name.toLowerCase().replace(/[^a-z\d-]+/g, '-')}.invalid`;
  return {
    settings: { targets: undefined, source: endpoints, ejectsOutliers },
    base: { origin: `http://${host}`, host, peer: 'external' },
  };
}
