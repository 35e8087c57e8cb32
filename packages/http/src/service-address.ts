import { assertBoolean, OptionsError, withheld } from '@macadam/core';
import { parseBaseUrl } from './base-url.ts';
import { endpointsSettings, type EndpointsSettings } from './endpoints/options.ts';
import type { HttpClientOptions } from './options.ts';
import { authorityOf, inferPeer, type Peer } from './peer.ts';

/** Where requests go; with several endpoints, the first one stands for all of them. */
export interface ServiceAddress {
  readonly origin: string;
  readonly host: string;
  readonly authority: string;
  readonly pathPrefix: string;
  /** Inferred from the host names. */
  readonly peer: Peer;
  readonly endpoints: EndpointsSettings | undefined;
}

export function serviceAddressOf(options: HttpClientOptions): ServiceAddress {
  const { baseUrl, endpoints, outlierEjection = true, name } = options;
  assertBoolean('outlierEjection', outlierEjection);
  if (endpoints === undefined) {
    const url = parseBaseUrl(baseUrl);
    const { origin, host, hostname, pathname } = url;
    const pathPrefix = pathname.replace(/\/+$/, '');
    return { origin, host, authority: authorityOf(url), pathPrefix, peer: inferPeer(hostname), endpoints: undefined };
  }
  if (baseUrl !== undefined) throw new OptionsError('baseUrl', withheld(baseUrl), 'left out with endpoints');
  const { settings, base } = endpointsSettings({ endpoints, outlierEjection }, name);
  return { ...base, authority: base.host, pathPrefix: '', endpoints: settings };
}
