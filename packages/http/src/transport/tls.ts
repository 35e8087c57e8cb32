import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { assertKnownOptions, assertObject, assertOneOf, assertText, OptionsError, withheld } from '@macadam/core';

/** A certificate or key in PEM, as text or bytes. */
export type Pem = string | Uint8Array;

/** TLS settings of connections. Certificates are always verified. */
export interface TlsOptions {
  /** Certificate authorities to trust instead of the default ones. Default: those that Node.js trusts. */
  ca?: Pem | readonly Pem[];
  /** The client certificate with its chain, for mutual TLS; requires `key`. Default: none. */
  cert?: Pem;
  /** The private key of `cert`, and required with it. Default: none. */
  key?: Pem;
  /** The passphrase of `key`, if that is encrypted. Default: none. */
  passphrase?: string;
  /** The host name that the server certificate must match (SNI), whatever the `host` header of a request. Default: the host of the URL. */
  servername?: string;
  /** The minimum TLS version. Default: that of Node.js (`tls.DEFAULT_MIN_VERSION`). */
  minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/**
 * TLS options, or a function called for each new connection, for certificates that are renewed while the process runs. The
 * function returns them at once: a promise fails the call with OptionsError (`MAC_INVALID_OPTIONS`) as the cause.
 */
export type TlsSource = TlsOptions | (() => TlsOptions);

const TLS_OPTIONS = ['ca', 'cert', 'key', 'passphrase', 'servername', 'minVersion'] as const;

/** Throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option. The error contains no value: it may be a key. */
export function assertTlsOptions(tls: unknown, path = 'tls'): asserts tls is TlsOptions {
  assertObject(path, tls);
  // A promise has no unknown options, so it would count as one without any.
  if ('then' in tls) throw new OptionsError(path, tls, 'the options themselves, not a promise of them');
  assertKnownOptions(path, tls, TLS_OPTIONS);
  const { ca, cert, key, passphrase, servername, minVersion } = tls as TlsOptions;
  const authorities = Array.isArray(ca) ? (ca as readonly unknown[]) : [ca];
  for (const pem of [...authorities, cert, key]) {
    if (pem === undefined || typeof pem === 'string' || pem instanceof Uint8Array) continue;
    throw new OptionsError(path, tls, 'with ca, cert and key as PEM: text or bytes');
  }
  if ((cert === undefined) !== (key === undefined))
    throw new OptionsError(`${path}.key`, withheld(key), 'given with cert, and only then');
  if (passphrase !== undefined && typeof passphrase !== 'string')
    throw new OptionsError(`${path}.passphrase`, withheld(passphrase), 'text');
  if (servername !== undefined) assertText(`${path}.servername`, servername);
  if (minVersion !== undefined) assertOneOf(`${path}.minVersion`, minVersion, ['TLSv1.2', 'TLSv1.3']);
}

/**
 * Throws OptionsError (`MAC_INVALID_OPTIONS`) when certificates and key cannot be loaded or do not belong together. The error
 * contains none of them. Takes milliseconds, so only options that are fixed when the client is created are checked this way.
 */
export function assertLoadableTls({ ca, cert, key, passphrase }: TlsOptions): void {
  try {
    createSecureContext({ ca, cert, key, passphrase } as SecureContextOptions);
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new OptionsError('tls', { ca, cert, key }, `certificates and key in PEM that belong together (${code})`);
  }
}

/**
 * Wraps `source` so that it returns the same object as long as the options are equal. The connector resumes TLS sessions only
 * as long as it gets the same object.
 */
export function reuseEqualTlsOptions(source: () => TlsOptions): () => TlsOptions {
  let last: TlsOptions | undefined;
  return () => {
    const options = source();
    assertTlsOptions(options, 'createHttpClient.tls()');
    if (last === undefined || !TLS_OPTIONS.every((name) => isEqual(last?.[name], options[name]))) {
      // A copy, since the caller may renew the certificate in the object itself.
      last = structuredClone(options);
    }
    return last;
  };
}

function isEqual(a: TlsOptions[keyof TlsOptions], b: TlsOptions[keyof TlsOptions]): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((pem: Pem, i) => isEqual(pem, b[i] as Pem));
}
