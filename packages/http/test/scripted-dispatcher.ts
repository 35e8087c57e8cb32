import type { Clock } from '@macadam/core';
import type { DispatchController, DispatchHandler, DispatchOptions, HttpDispatcher } from '../src/dispatcher.ts';

/** The response to one request. Without `status` and `error` the request hangs. */
export interface Script {
  status?: number;
  headers?: Record<string, string | string[]>;
  /** In one chunk, or in several. */
  body?: string | string[];
  /** The code of an error that replaces the end of the body. */
  error?: string;
  /** Whether the error comes before the request is sent. */
  unsent?: boolean;
  /** Whether the body never ends. */
  stalls?: boolean;
  /** The delay of the response on `clock`, in milliseconds. Default: 0. */
  delayMs?: number;
  clock?: Clock;
}

/** A dispatcher without sockets, for virtual time: it records requests and plays scripted responses. */
export interface ScriptedDispatcher extends HttpDispatcher {
  readonly sent: DispatchOptions[];
  readonly aborted: unknown[];
  headersOf(index: number): Record<string, string>;
}

/** Plays the first script for the first request, and so on; the last one for all further requests. */
export function scriptedDispatcher(...scripts: (Script | (() => Script))[]): ScriptedDispatcher {
  const sent: DispatchOptions[] = [];
  const aborted: unknown[] = [];
  const dispatch = (options: DispatchOptions, handler: DispatchHandler): boolean => {
    const next = scripts[Math.min(sent.length, scripts.length - 1)] as Script | (() => Script);
    sent.push(options);
    const script = typeof next === 'function' ? next() : next;
    const respond = (): void => play(script, handler, aborted);
    if (script.clock === undefined) queueMicrotask(respond);
    else script.clock.setTimer(respond, script.delayMs ?? 0);
    return true;
  };
  const headersOf = (index: number): Record<string, string> => {
    const flat = sent[index]?.headers as string[];
    return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] as string]] : [])));
  };
  return { dispatch, sent, aborted, headersOf } as unknown as ScriptedDispatcher;
}

function play(script: Script, handler: DispatchHandler, aborted: unknown[]): void {
  const fail = (code: string): void =>
    handler.onResponseError?.(controller, Object.assign(new Error(`scripted ${code}`), { code }));
  const controller: DispatchController = {
    aborted: false,
    paused: false,
    reason: null,
    pause() {},
    resume() {},
    abort(reason) {
      aborted.push(reason);
      handler.onResponseError?.(controller, reason);
    },
  };
  if (script.unsent === true) return fail(script.error as string);
  handler.onRequestStart?.(controller, null);
  if (script.status !== undefined) handler.onResponseStart?.(controller, script.status, script.headers ?? {}, '');
  for (const chunk of [script.body ?? []].flat()) handler.onResponseData?.(controller, Buffer.from(chunk));
  if (script.error !== undefined) fail(script.error);
  else if (script.status !== undefined && script.stalls !== true) handler.onResponseEnd?.(controller, {});
}
