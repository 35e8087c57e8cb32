import { assertBoolean, assertDurationMs, assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import { parseEncodings } from '../content-decoding.ts';
import type { CaptureRule } from '../http-cache/capture-rule.ts';
import type { RawHeaders } from '../dispatcher.ts';
import { isRedirect } from '../redirect.ts';
import { firstOf } from '../retry-after.ts';
import { REQUEST_OPTION_NAMES, type BodyOptions, type RequestOptions } from '../request-options.ts';
import { isDecodable } from './decoders.ts';

/** A server that sends nothing for this long within a body is taken for dead. */
export const DEFAULT_IDLE_TIMEOUT_MS = 10_000;
/** Events may be rare: a server is advised to send something every 15 s (HTML standard, section 9.2.7), and may be late. */
export const DEFAULT_EVENTS_IDLE_TIMEOUT_MS = 60_000;
/** A reader may be busy with a chunk for a while, but a forgotten body holds a connection. */
export const DEFAULT_UNREAD_TIMEOUT_MS = 60_000;

/** Options of `stream()`: those of any request except `schema`, and limits of the body. */
export interface StreamOptions extends Omit<RequestOptions<undefined, boolean>, 'schema'>, BodyOptions {
  /** Like `streams.idleTimeoutMs` of the client, for this call. Default: that of the client. */
  idleTimeoutMs?: number | undefined;
  /** Like `streams.unreadTimeoutMs` of the client, for this call. Default: that of the client. */
  unreadTimeoutMs?: number | undefined;
  /** Maximum size of the decoded body in bytes, at least 1. Default: no limit. */
  maxBytes?: number | undefined;
  /** Whether content encodings are decoded. Default: true. */
  decompress?: boolean | undefined;
}

/** Time limits for reading a streamed body. */
export interface StreamLimits {
  /**
   * Maximum time the server may send nothing while the reader waits for more, in milliseconds, above 0; `Infinity` for no
   * limit. Default: 10 000, and 60 000 for a response of type `text/event-stream`.
   */
  idleTimeoutMs?: number;
  /**
   * Maximum time the reader may leave received data unread, in milliseconds, above 0; `Infinity` for no limit. A body that is
   * forgotten holds a connection. Default: 60 000.
   */
  unreadTimeoutMs?: number;
}

/** How the body of a call is to be streamed. */
export interface StreamSettings {
  /** Undefined: depends on the content type of the response. */
  readonly idleTimeoutMs: number | undefined;
  readonly unreadTimeoutMs: number;
  readonly maxBytes: number;
  /** The limit of the client for `fetch`, whose responses are mostly read whole; `Infinity` for `stream()`. */
  maxRatio: number;
  readonly decompress: boolean;
  /** Whether a response outside 2xx is streamed as well, unless another attempt follows. */
  readonly streamsErrors: boolean;
  /** For `fetch`: `follow` makes a redirect that is not followed an error, `manual` follows none. */
  redirect: 'follow' | 'manual' | undefined;
  /** For `fetch` with a cache: which responses are copied while they are read, or read whole first. */
  captureRule: CaptureRule | undefined;
  /** The signals that cancel the body. */
  signals: readonly (AbortSignal | undefined)[];
  /** The fields below are set when the response arrives, for the `Response` of `fetch`. */
  url: string | undefined;
  redirected: boolean;
  statusText: string;
}

/** Checks the `streams` option of a client. */
export function streamLimits(limits: StreamLimits = {}): StreamLimits {
  assertObject('streams', limits);
  assertKnownOptions('streams', limits, ['idleTimeoutMs', 'unreadTimeoutMs']);
  assertLimits('streams', limits);
  return { ...limits };
}

/** The limits as a line of `describe()`. */
export function describeStreams({ idleTimeoutMs, unreadTimeoutMs = DEFAULT_UNREAD_TIMEOUT_MS }: StreamLimits): string {
  const defaults = `${DEFAULT_IDLE_TIMEOUT_MS} ms, or ${DEFAULT_EVENTS_IDLE_TIMEOUT_MS} ms for events`;
  const silence = idleTimeoutMs === undefined ? defaults : `${idleTimeoutMs} ms`;
  return `ends streams after a silence of ${silence}, and when they are left unread for ${unreadTimeoutMs} ms`;
}

function assertLimits(path: string, { idleTimeoutMs, unreadTimeoutMs }: StreamOptions): void {
  const range = { above: 0, infinite: true };
  if (idleTimeoutMs !== undefined) assertDurationMs(`${path}.idleTimeoutMs`, idleTimeoutMs, range);
  if (unreadTimeoutMs !== undefined) assertDurationMs(`${path}.unreadTimeoutMs`, unreadTimeoutMs, range);
}

const OPTION_NAMES: readonly string[] = [
  ...REQUEST_OPTION_NAMES,
  'idleTimeoutMs',
  'unreadTimeoutMs',
  'maxBytes',
  'decompress',
];

/** Checks the options of a stream and fills in the defaults. */
export function streamSettings(options: StreamOptions, throwOnStatus: boolean, client: StreamLimits): StreamSettings {
  assertKnownOptions('request', options, OPTION_NAMES);
  assertLimits('request', options);
  const {
    idleTimeoutMs = client.idleTimeoutMs,
    unreadTimeoutMs = client.unreadTimeoutMs ?? DEFAULT_UNREAD_TIMEOUT_MS,
    maxBytes = Infinity,
    decompress = true,
  } = options;
  assertInteger('request.maxBytes', maxBytes, { min: 1, infinite: true });
  assertBoolean('request.decompress', decompress);
  return {
    idleTimeoutMs,
    unreadTimeoutMs,
    maxBytes,
    maxRatio: Infinity,
    decompress,
    streamsErrors: !throwOnStatus,
    redirect: undefined,
    captureRule: undefined,
    signals: [],
    url: undefined,
    redirected: false,
    statusText: '',
  };
}

/** The default of `idleTimeoutMs`: longer for events, which may be rare. */
export function defaultIdleTimeoutMs(contentType: string | string[] | undefined): number {
  return /^text\/event-stream\b/i.test(String(contentType)) ? DEFAULT_EVENTS_IDLE_TIMEOUT_MS : DEFAULT_IDLE_TIMEOUT_MS;
}

/** Whether a response is a redirect that `fetch` has to follow: if it is not followed, the call fails. */
export function mustBeFollowed({ redirect }: StreamSettings, status: number, headers: RawHeaders): boolean {
  return redirect === 'follow' && isRedirect(status, firstOf(headers['location']));
}

/** Whether a body is passed on still encoded: to the caller of `fetch`, if the client does not know its encoding. */
export function isPassedThrough(
  { stream }: { readonly stream: StreamSettings | undefined },
  encoding: string | string[] | undefined,
): boolean {
  return stream?.redirect !== undefined && !isDecodable(parseEncodings(encoding));
}
