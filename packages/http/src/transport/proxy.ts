import { OptionsError, withheld } from '@macadam/core';
import type { ConnectTarget } from '../dispatcher.ts';
import { withoutBrackets } from './ip-address.ts';
import { noProxy } from './no-proxy.ts';

/** A proxy, taken apart. */
export interface Proxy {
  readonly kind: 'http' | 'socks5';
  /** Whether it is spoken to over TLS. */
  readonly encrypted: boolean;
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Host and port, to be shown: nothing of it is secret. */
  readonly host: string;
  /** User and password; undefined when the URL has neither. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
}

/** The proxy that leads to a target; undefined when it is reached without one. */
export type Proxies = (target: ConnectTarget) => Proxy | undefined;

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'socks5:': 1080,
  // As curl writes it when the proxy is to resolve names, which it always is here.
  'socks5h:': 1080,
};

/** SOCKS has one byte for how long user and password are (RFC 1929). */
const LONGEST_SOCKS_BYTES = 255;

/** @param option - false, `env`, or a URL; throws OptionsError (`MAC_INVALID_OPTIONS`) for anything else */
export function proxiesOf(option: unknown, env: NodeJS.ProcessEnv = process.env): Proxies {
  if (option === false) return () => undefined;
  if (option === 'env') return proxiesOfEnvironment(env);
  const proxy = proxyOf('proxy', option, 'false, "env", or an http, https or socks5 URL without a path');
  return () => proxy;
}

/** As Go and curl read it: each variable is for its own protocol, in lower case first. */
function proxiesOfEnvironment(env: NodeJS.ProcessEnv): Proxies {
  const read = (name: string): Proxy | undefined => {
    const used = env[name] ? name : name.toUpperCase();
    const value = env[used]?.trim();
    if (value === undefined || value === '') return undefined;
    // `proxy.internal:3128` is what people write.
    const url = value.includes('://') ? value : `http://${value}`;
    return proxyOf(`proxy (${used})`, url, 'an http, https or socks5 URL');
  };
  const forHttp = read('http_proxy');
  const forHttps = read('https_proxy');
  const isExcepted = noProxy(env['no_proxy'] || env['NO_PROXY'] || '');
  return (target) => {
    const proxy = target.protocol === 'https:' ? forHttps : forHttp;
    return proxy === undefined || isExcepted(target) ? undefined : proxy;
  };
}

function proxyOf(path: string, value: unknown, allowed: string): Proxy {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  const standardPort = url && DEFAULT_PORTS[url.protocol];
  const isBare = url !== undefined && (url.pathname === '/' || url.pathname === '') && url.search + url.hash === '';
  // The value is not shown: there may be a password in it.
  if (url === undefined || standardPort === undefined || url.hostname === '' || !isBare) {
    throw new OptionsError(path, withheld(value), allowed);
  }
  const kind = url.protocol.startsWith('socks5') ? 'socks5' : 'http';
  const port = url.port === '' ? standardPort : Number(url.port);
  const username = decoded(url.username);
  const password = decoded(url.password);
  const tooLong = [username, password].some((text) => Buffer.byteLength(text) > LONGEST_SOCKS_BYTES);
  if (kind === 'socks5' && tooLong) {
    throw new OptionsError(path, withheld(value), 'with a user and a password of 255 bytes at most, as SOCKS has it');
  }
  return {
    kind,
    encrypted: url.protocol === 'https:',
    hostname: withoutBrackets(url.hostname),
    port,
    host: `${url.hostname}:${port}`,
    credentials: username === '' && password === '' ? undefined : { username, password },
  };
}

/** A password with a percent sign in it is often not encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
