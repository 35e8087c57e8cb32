import { isCancelReason } from '../cancel-reason.ts';
import { HttpStatusError } from '../errors.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import type { EndpointBase } from './invalidation.ts';
import { lastFailure } from './origin-failure.ts';
import type { ReceivedResponse } from './storage.ts';

/** A response of the origin, of any status. */
export interface OriginResponse extends ReceivedResponse {
  /** The error in which it arrived, when its status is outside 2xx. */
  readonly statusError: Error | undefined;
  /** Whether a redirect led to it: it is about another URL. */
  readonly isRedirected: boolean;
  /** The URLs of all redirects that were followed, also by earlier attempts. */
  readonly redirects: readonly string[];
  /** The endpoints that may have sent it; empty without `endpoints`. */
  readonly endpoints: readonly EndpointBase[];
}

/** Awaits the response to `request`, of any status. Rejects only when there is no response. */
export async function responseOfAnyStatus(
  call: Promise<HttpResponse>,
  request: PreparedRequest,
): Promise<Pick<OriginResponse, 'response' | 'statusError'>> {
  try {
    return { response: await call, statusError: undefined };
  } catch (error) {
    // A call may be cancelled with the error of another one, whose response is not the response to this request.
    const failure = isCancelReason(error, request) ? undefined : lastFailure(error);
    if (failure instanceof HttpStatusError) return { response: failure.response, statusError: error as Error };
    throw error;
  }
}
