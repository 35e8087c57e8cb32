import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

/** Keeps the active span across `await`. */
export function createContextManager(): AsyncLocalStorageContextManager {
  return new AsyncLocalStorageContextManager().enable();
}
