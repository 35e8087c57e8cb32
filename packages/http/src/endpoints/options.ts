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

/** An endpoint, checked and taken apart. */
export interface EndpointTarget {
  readonly origin: string;
  /** Host and port. */
  readonly authority: string;
  /** Without a slash at its end. */
  readonly pathPrefix: string;
  readonly weight: number;
  readonly region: string;
  readonly zone: string | undefined;
}

/** Where the endpoints of a client come from. */
export interface EndpointsSettings {
  /** Undefined when they are to be asked for. */
  readonly targets: readonly EndpointTarget[] | undefined;
  readonly source: (() => readonly EndpointOptions[] | Promise<readonly EndpointOptions[]>) | undefined;
  readonly ejects: boolean;
}

/** Throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong list: each must name another host. */
export function parseEndpoints(list: unknown, path = 'endpoints'): readonly EndpointTarget[] {
  if (!Array.isArray(list) || list.length === 0) throw new OptionsError(path, list, 'a list of one endpoint at least');
  const authorities = new Set<string>();
  return list.map((one: EndpointOptions, i) => {
    assertObject(`${path}[${i}]`, one);
    assertKnownOptions(`${path}[${i}]`, one, ['url', 'weight', 'region', 'zone']);
    const { url, weight = 1, region = '', zone } = one;
    const parsed = parseBaseUrl(url, `${path}[${i}].url`);
    assertNumber(`${path}[${i}].weight`, weight, { above: 0 });
    if (one.region !== undefined) assertText(`${path}[${i}].region`, region);
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

/** What stands for all endpoints where a request has one URL only, such as in errors. */
export interface EndpointsBase {
  readonly origin: string;
  readonly host: string;
  readonly peer: Peer;
}

export function endpointsSettings(
  { endpoints, outlierEjection: ejects }: { endpoints: EndpointsOption; outlierEjection: boolean },
  name: string | undefined,
): { settings: EndpointsSettings; base: EndpointsBase } {
  if (typeof endpoints !== 'function') {
    const targets = parseEndpoints(endpoints);
    const { origin, authority } = targets[0] as EndpointTarget;
    const external = targets.some((target) => inferPeer(new URL(target.origin).hostname) === 'external');
    return {
      settings: { targets, source: undefined, ejects },
      base: { origin, host: authority, peer: external ? 'external' : 'internal' },
    };
  }
  assertFunction('endpoints', endpoints);
  if (name === undefined) throw new OptionsError('name', name, 'given, when endpoints is a function');
  // A name that cannot be looked up: it is never connected to.
  const host = `${name.toLowerCase().replace(/[^a-z\d-]+/g, '-')}.invalid`;
  return {
    settings: { targets: undefined, source: endpoints, ejects },
    base: { origin: `http://${host}`, host, peer: 'external' },
  };
}
