/** Whether `value` has a method `then`. May throw, since `then` can be a getter of the user's code. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
