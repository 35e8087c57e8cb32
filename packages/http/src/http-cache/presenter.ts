import { timeout, type ExecuteContext, type Policy } from '@macadam/resilience';
import type { AsyncScope } from '../attempt-settings.ts';
import type { AuthHeaders, HttpAuth } from '../auth.ts';
import { authorize } from '../authorize.ts';
import { withPriority } from '../peer.ts';
import type { PreparedRequest } from '../request.ts';
import type { CacheContext } from './cache-context.ts';
import { presentedRequest, type PresentedRequest } from './credentials.ts';
import type { CacheMode } from './stored-response.ts';

/** Finds out what a request will be sent with, before it is sent: stored responses are matched with that. */
export class Presenter {
  readonly #context: CacheContext;
  readonly #mode: CacheMode;
  /** Bounds the `auth` of a call, which is asked before the policies of the call begin. */
  readonly #authTimeout: Policy;

  constructor(context: CacheContext, mode: CacheMode) {
    this.#context = context;
    this.#mode = mode;
    this.#authTimeout = timeout({ timeoutMs: context.timeoutMs, clock: context.clock });
  }

  /** What the request presents if no `auth` adds to it; otherwise undefined. */
  withoutAuth(request: PreparedRequest): PresentedRequest | undefined {
    if (this.#context.auth !== undefined) return undefined;
    return presentedRequest(this.#ownHeaders(request), this.#mode);
  }

  /** The same with the headers that `auth` adds; undefined when `auth` fails, which the forwarded request then reports. */
  async withAuth(request: PreparedRequest): Promise<PresentedRequest | undefined> {
    const { auth, origin } = this.#context;
    const { headers, execution, scope = runDirectly } = request;
    try {
      const askAuth = (context: ExecuteContext): Promise<AuthHeaders> =>
        scope(() => authorize(auth as HttpAuth, { request, context }, origin, headers));
      const added = await this.#authTimeout.execute(askAuth, execution);
      return presentedRequest(this.#ownHeaders(request), this.#mode, added);
    } catch {
      return undefined;
    }
  }

  #ownHeaders({ headers, priority, work }: PreparedRequest): readonly string[] {
    return this.#context.sendsPriority ? withPriority(headers, priority ?? work?.priority) : headers;
  }
}

const runDirectly: AsyncScope = (work) => work();
