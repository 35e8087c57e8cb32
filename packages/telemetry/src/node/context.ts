import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

/** Carries the active span over every `await`. */
export function contextManager(): AsyncLocalStorageContextManager {
  return new AsyncLocalStorageContextManager().enable();
}
