/**
 * Why the body of an error response was not read to its end, for the message of its error. Kept outside the response, because
 * hardly any response has one.
 */
const truncationReasons = new WeakMap<object, string>();

export function setTruncationReason(response: object, reason: string | undefined): void {
  if (reason !== undefined) truncationReasons.set(response, reason);
}

/** Undefined for a complete body, and for one that was cut at 64 KiB, as documented. */
export function truncationReasonOf(response: object): string | undefined {
  return truncationReasons.get(response);
}
