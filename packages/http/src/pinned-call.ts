/**
 * Keeps one unfinished call and one finished response alive for as long as the process runs.
 *
 * When V8 collects the whole heap while no call is in flight, it forgets the layout of classes that have no living instance, and
 * discards the machine code that relies on it: after each idle moment, calls would be interpreted until they are compiled again.
 * The calls that `@macadam/resilience` keeps in flight do the same for its policies.
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

const keptAlive: unknown[] = [];

/** Never responds, and keeps the handlers alive. */
const silentDispatcher: HttpDispatcher = {
  dispatch(_, handler) {
    keptAlive.push(handler);
    return true;
  },
};

export function startPinnedCall(): void {
  const settings = httpClientSettings({
    baseUrl: 'http://pinned.invalid',
    // A circuit breaker reports itself to telemetry, and this one belongs to no user.
    circuitBreaker: false,
    dispatcher: silentDispatcher,
    clock: timerlessClock,
  });
  const request = prepareRequest(settings, 'GET', new PathTemplates('').get('/{id}'), { params: { id: 1 } });
  const log = new AttemptLog(timerlessClock.monotonic());
  const sender = new Sender(settings, new ExternalTransport(silentDispatcher));
  const policy = createPolicies(settings).repeatable;
  // Outside the asynchronous context in which the package is first imported.
  void runAtRoot(() => policy.execute((context) => sender.attempt(request, log, context), request.execution));
  const response = new HttpResponse(request.subject, 200, { 'content-type': 'application/json' }, Buffer.from('{}'));
  // Fractional times, as in real calls: V8 stores whole numbers differently.
  const finishedLog = new AttemptLog(0.5);
  finishedLog.begin(1, settings.authority, 0.75);
  finishedLog.end(1, 1.125, response.status, undefined, 'success');
  setAttempts(response, finishedLog.records);
  const body = new ReceivedBody();
  body.add(response.bytes());
  keptAlive.push(response, response.data, finishedLog, body);
}
