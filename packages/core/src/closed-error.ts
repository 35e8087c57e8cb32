import { MacadamError } from './errors.ts';

/**
 * Something was used after its `close()`: a client, a cache, a limiter. Code `MAC_CLOSED`, not retryable. What waits at the
 * moment of `close()` rejects with it as well.
 */
export class ClosedError extends MacadamError {
  /** What was closed, with its name: `Cache "users"`. */
  readonly component: string;

  constructor(component: string) {
    super(`${component} is closed`, { code: 'MAC_CLOSED', stack: false });
    this.component = component;
  }
}
ClosedError.prototype.name = 'ClosedError';
