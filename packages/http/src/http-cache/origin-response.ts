import { HttpStatusError } from '../errors.ts';
import type { HttpResponse } from '../response.ts';
import type { EndpointBase } from './invalidation.ts';
import { lastFailure } from './origin-failure.ts';
import type { ReceivedResponse } from './storage.ts';

/** A response of the origin, of any status. */
export interface OriginResponse extends ReceivedResponse {
  /** The error in which it arrived, when its status is outside 2xx. */
  readonly statusError: Error | undefined;
  /** The URLs of the redirects that led to it. */
  readonly redirects: readonly string[];
  /** The endpoints that may have sent it; empty without `endpoints`. */
  readonly endpoints: readonly EndpointBase[];
}

/** Awaits a response of any status. Rejects only when there is no response. */
export async function responseOfAnyStatus(
  call: Promise<HttpResponse>,
): Promise<Pick<OriginResponse, 'response' | 'statusError'>> {
  try {
    return { response: await call, statusError: undefined };
  } catch (error) {
    const failure = lastFailure(error);
    if (failure instanceof HttpStatusError) return { response: failure.response, statusError: error as Error };
    throw error;
  }
}
