import { assertBoolean, assertDurationMs, assertInteger, assertObject } from '@macadam/core';
import { parseEncodings } from '../content-decoding.ts';
import type { KeepRule } from '../http-cache/keep-rule.ts';
import type { BodyOptions, RequestOptions } from '../request-options.ts';
import { isDecodable } from './decoders.ts';

/** A server that says nothing for this long in the middle of a body has gone. Source: what a proxy between waits. */
export const DEFAULT_IDLE_TIMEOUT_MS = 10_000;
/** A reader may be busy with a piece for a while; but a body that is forgotten holds a connection. */
export const DEFAULT_UNREAD_TIMEOUT_MS = 60_000;

/** What `stream()` can say, besides what any request can. */
export interface StreamOptions extends Omit<RequestOptions<undefined, boolean>, 'schema'>, BodyOptions {
  /** Longest silence of the server while more of the body is wanted, in milliseconds, above 0. Default: 10 000. */
  idleTimeoutMs?: number | undefined;
  /** Longest time that the body is left unread while more of it waits, in milliseconds, above 0. Default: 60 000. */
  unreadTimeoutMs?: number | undefined;
  /** Bytes of the body, decoded, at least 1. Default: no limit. */
  maxBytes?: number | undefined;
  /** Whether content encodings are undone. Default: true. */
  decompress?: boolean | undefined;
}

/** How the body of a call is to be streamed. */
export interface StreamSettings {
  readonly idleTimeoutMs: number;
  readonly unreadTimeoutMs: number;
  readonly maxBytes: number;
  /** For `fetch`, whose answers are mostly read whole: the client's limit. */
  maxRatio: number;
  readonly decompress: boolean;
  /** Whether a failed answer is streamed as well, unless another try follows. */
  readonly failures: boolean;
  /** For `fetch`: `follow` makes a redirect that is not followed an error, `manual` follows none. */
  redirect: 'follow' | 'manual' | undefined;
  /** For `fetch` with a cache: which answers are read whole, before they are handed out. */
  keeps: KeepRule | undefined;
  /** Whether a body has begun to come in; and then, what `fetch` tells of it. */
  begun: boolean;
  url: string | undefined;
  redirected: boolean;
  statusText: string;
}

/** Checks what is about the stream and fills in the defaults. */
export function streamSettings(options: StreamOptions, throwOnStatus: boolean): StreamSettings {
  assertObject('request', options);
  const {
    idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS,
    unreadTimeoutMs = DEFAULT_UNREAD_TIMEOUT_MS,
    maxBytes = Infinity,
    decompress = true,
  } = options;
  assertDurationMs('request.idleTimeoutMs', idleTimeoutMs, { above: 0, infinite: true });
  assertDurationMs('request.unreadTimeoutMs', unreadTimeoutMs, { above: 0, infinite: true });
  assertInteger('request.maxBytes', maxBytes, { min: 1, infinite: true });
  assertBoolean('request.decompress', decompress);
  return {
    idleTimeoutMs,
    unreadTimeoutMs,
    maxBytes,
    maxRatio: Infinity,
    decompress,
    failures: !throwOnStatus,
    redirect: undefined,
    keeps: undefined,
    begun: false,
    url: undefined,
    redirected: false,
    statusText: '',
  };
}

/** Whether a body is handed out as it came: to the caller of `fetch`, when nobody here can undo its encoding. */
export function isForReader(
  { stream }: { readonly stream: StreamSettings | undefined },
  encoding: string | string[] | undefined,
): boolean {
  return stream?.redirect !== undefined && !isDecodable(parseEncodings(encoding));
}
