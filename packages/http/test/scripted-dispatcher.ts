import type { Clock } from '@macadam/core';
import type { DispatchController, DispatchHandler, DispatchOptions, HttpDispatcher } from '../src/dispatcher.ts';

/** What one request is answered with. Without `body` and `error` it hangs after what is there. */
export interface Script {
  status?: number;
  headers?: Record<string, string | string[]>;
  /** Given in one piece, or in several. */
  body?: string | string[];
  /** Ends in this failure instead of the end of the body. */
  error?: string;
  /** The failure comes before anything is sent. */
  unsent?: boolean;
  /** The body is begun but never ends. */
  stalls?: boolean;
  /** Time on `clock` before anything comes back. Default: none. */
  delayMs?: number;
  clock?: Clock;
}

/** A transport without sockets, for virtual time: what goes out is recorded, what comes back is scripted. */
export interface ScriptedDispatcher extends HttpDispatcher {
  readonly sent: DispatchOptions[];
  readonly aborted: unknown[];
  headersOf(index: number): Record<string, string>;
}

/**
 * Answers the first request with the first script, and so on; the last one answers all that follow. A script can be a
 * function, asked when the request comes.
 */
export function scriptedDispatcher(...scripts: (Script | (() => Script))[]): ScriptedDispatcher {
  const sent: DispatchOptions[] = [];
  const aborted: unknown[] = [];
  const dispatch = (options: DispatchOptions, handler: DispatchHandler): boolean => {
    const given = scripts[Math.min(sent.length, scripts.length - 1)] as Script | (() => Script);
    sent.push(options);
    const script = typeof given === 'function' ? given() : given;
    const answer = (): void => play(script, handler, aborted);
    if (script.clock === undefined) queueMicrotask(answer);
    else script.clock.setTimer(answer, script.delayMs ?? 0);
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
