import { OptionsError, withheld } from '@macadam/core';
import type { ConnectTarget } from '../dispatcher.ts';
import { withoutBrackets } from './ip-address.ts';
import { noProxy } from './no-proxy.ts';

/** A parsed proxy URL. */
export interface Proxy {
  readonly kind: 'http' | 'socks5';
  /** Whether the connection to the proxy itself uses TLS. */
  readonly isEncrypted: boolean;
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Host and port for messages; contains no credentials. */
  readonly host: string;
  /** Undefined when the URL has neither user nor password. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

/** Selects the proxy for a target; undefined for a direct connection. */
export type ProxySelector = (target: ConnectTarget) => Proxy | undefined;

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'socks5:': 1080,
  // curl's spelling for a proxy that resolves names, which is the default here for both spellings.
  'socks5h:': 1080,
};

/** SOCKS has one byte for the length of user and password (RFC 1929). */
const MAX_SOCKS_CREDENTIAL_BYTES = 255;

/** @param option - false, `env`, or a URL; throws OptionsError (`MAC_INVALID_OPTIONS`) for anything else */
export function proxySelector(option: unknown, env: NodeJS.ProcessEnv = process.env): ProxySelector {
  if (option === false) return () => undefined;
  if (option === 'env') return environmentProxies(env);
  const proxy = parseProxy('proxy', option, 'false, "env", or an http, https or socks5 URL without a path');
  return () => proxy;
}

/** Reads the variables as Go and curl do: one per protocol of the target, and lower case before upper case. */
function environmentProxies(env: NodeJS.ProcessEnv): ProxySelector {
  const read = (name: string): Proxy | undefined => {
    const usedName = env[name] ? name : name.toUpperCase();
    const value = env[usedName]?.trim();
    if (value === undefined || value === '') return undefined;
    // `proxy.internal:3128`, without a protocol, is common.
    const url = value.includes('://') ? value : `http://${value}`;
    return parseProxy(`proxy (${usedName})`, url, 'an http, https or socks5 URL');
  };
  const forHttp = read('http_proxy');
  const forHttps = read('https_proxy');
  const bypassesProxy = noProxy(env['no_proxy'] || env['NO_PROXY'] || '');
  return (target) => {
    const proxy = target.protocol === 'https:' ? forHttps : forHttp;
    return proxy === undefined || bypassesProxy(target) ? undefined : proxy;
  };
}

function parseProxy(path: string, value: unknown, allowed: string): Proxy {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  const defaultPort = url && DEFAULT_PORTS[url.protocol];
  const isBare = url !== undefined && (url.pathname === '/' || url.pathname === '') && url.search + url.hash === '';
  // The value is withheld from the error: it may contain a password.
  if (url === undefined || defaultPort === undefined || url.hostname === '' || !isBare) {
    throw new OptionsError(path, withheld(value), allowed);
  }
  const kind = url.protocol.startsWith('socks5') ? 'socks5' : 'http';
  const port = url.port === '' ? defaultPort : Number(url.port);
  const username = decodeCredential(url.username);
  const password = decodeCredential(url.password);
  const isTooLong = [username, password].some((text) => Buffer.byteLength(text) > MAX_SOCKS_CREDENTIAL_BYTES);
  if (kind === 'socks5' && isTooLong) {
    throw new OptionsError(
      path,
      withheld(value),
      'with a user and a password of at most 255 bytes each, the limit of SOCKS',
    );
  }
  return {
    kind,
    isEncrypted: url.protocol === 'https:',
    hostname: withoutBrackets(url.hostname),
    port,
    host: `${url.hostname}:${port}`,
    credentials: username === '' && password === '' ? undefined : { username, password },
  };
}

/** Text that is no valid percent-encoding is taken as it is: passwords with a percent sign are often not encoded. */
function decodeCredential(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
