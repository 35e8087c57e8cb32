import type { Decision } from './decision.ts';
import type { Consistency } from './open-fga-batches.ts';

/** What can be said of one question. */
export interface CheckOptions {
  /** How fresh the answer must be: `higher` passes all caches. Default: that of the permissions. */
  consistency?: Consistency;
  /** The answer where the server gives none in time. Default: that of the permissions. */
  onFailure?: 'closed' | 'open';
  /** Stops waiting, and rejects with its reason. Default: that of the current work. */
  signal?: AbortSignal;
}

/** Numbers of permissions that are asked for over the network. */
export interface RemotePermissionsStats {
  readonly checks: number;
  readonly requests: number;
  /** Questions that the server did not answer. */
  readonly unavailable: number;
  readonly cache: { readonly hits: number; readonly misses: number; readonly entries: number };
}

/** Decides, over the network. Rejects for an aborted `signal` alone: a server that is away is an answer, `unavailable`. */
export interface RemotePermissions<P, R, A extends string = string> {
  (principal: P, action: A, resource?: R, options?: CheckOptions): Promise<Decision>;
  /** Decides for many resources at once, in their order. */
  many(principal: P, action: A, resources: readonly R[], options?: CheckOptions): Promise<Decision[]>;
  /** @throws ForbiddenError (`MAC_FORBIDDEN`) unless it is allowed. */
  assert(principal: P, action: A, resource?: R, options?: CheckOptions): Promise<void>;
  readonly version: string;
  /** Where it asks, and what it answers when nobody does, in words. */
  describe(): string;
  stats(): RemotePermissionsStats;
}
