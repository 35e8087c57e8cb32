/**
 * A request that is never answered, and an answer that is kept: so that of everything a call is made of one lives at any
 * time. Otherwise V8 forgets how such objects are laid out when it collects the heap while nothing is in flight, and throws
 * away the machine code of the whole way; see the standing calls of `@macadam/resilience`.
 */
import { runAtRoot, timerlessClock } from '@macadam/core';
import { AttemptLog } from './attempts.ts';
import { ExternalTransport, type HttpDispatcher } from './dispatcher.ts';
import { PathTemplates } from './path-template.ts';
import { createPolicies } from './policies.ts';
import { ReceivedBody } from './received-body.ts';
import { prepareRequest } from './request.ts';
import { HttpResponse, setAttempts } from './response.ts';
import { Sender } from './sender.ts';
import { httpClientSettings } from './settings.ts';

const kept: unknown[] = [];

/** Answers nothing, and holds on to whoever waits. */
const silent: HttpDispatcher = {
  dispatch(_, handler) {
    kept.push(handler);
    return true;
  },
};

/** Begins the one, and makes the other. */
export function keepCodeOptimized(): void {
  const settings = httpClientSettings({
    baseUrl: 'http://standing.invalid',
    // The one of a client is observed, and this is nobody's.
    circuitBreaker: false,
    dispatcher: silent,
    clock: timerlessClock,
  });
  const request = prepareRequest(settings, 'GET', new PathTemplates('').get('/{id}'), { params: { id: 1 } });
  const log = new AttemptLog(timerlessClock.monotonic());
  const sender = new Sender(settings, new ExternalTransport(silent));
  const policy = createPolicies(settings).repeatable;
  // Not as part of whatever this package is first imported in.
  void runAtRoot(() => policy.execute((context) => sender.attempt(request, log, context), request.execution));
  const response = new HttpResponse(request.subject, 200, { 'content-type': 'application/json' }, Buffer.from('{}'));
  // Times that are no whole numbers, as those of real calls: whole numbers are laid out otherwise.
  const story = new AttemptLog(0.5);
  story.begin(1, settings.authority, 0.75);
  story.end(1, 1.125, response.status, undefined, 'success');
  setAttempts(response, story.records);
  const body = new ReceivedBody();
  body.add(response.bytes());
  kept.push(response, response.data, story, body);
}
