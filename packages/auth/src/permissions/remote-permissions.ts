import type { Decision } from './decision.ts';
import type { Consistency } from './open-fga-batcher.ts';

/** Options of one decision. */
export interface CheckOptions {
  /** How fresh the decision must be; `higher` bypasses all caches. Default: that of the permissions. */
  consistency?: Consistency;
  /**
   * The decision when the server does not respond in time; what it refuses as invalid is denied in any case. Default:
   * that of the permissions.
   */
  onFailure?: 'closed' | 'open';
  /** Stops waiting, and rejects with its reason. Default: the signal of the current unit of work. */
  signal?: AbortSignal;
}

/** What remote permissions have counted. */
export interface RemotePermissionsStats {
  /** Decisions that were asked for. */
  readonly checks: number;
  /** Requests sent. */
  readonly requests: number;
  /** Checks that were not decided: `unavailable`, or refused by the server as invalid. */
  readonly unavailable: number;
  /** What the cache has counted; all 0 without one. */
  readonly cache: {
    /** Decisions from the cache. */
    readonly hits: number;
    /** Decisions not found in the cache. */
    readonly misses: number;
    /** Decisions in the cache now. */
    readonly entries: number;
  };
}

/**
 * Decides about actions, over the network. Rejects only for an aborted `signal`: when the server does not respond, the
 * decision is `unavailable`, and when it refuses the request as invalid, `ruleFailed`.
 */
export interface RemotePermissions<P, R, A extends string = string> {
  /** Decides whether the principal may perform the action on the resource. */
  (principal: P, action: A, resource?: R, options?: CheckOptions): Promise<Decision>;
  /** Decides about many resources at once; the decisions are in their order. */
  many(principal: P, action: A, resources: readonly R[], options?: CheckOptions): Promise<Decision[]>;
  /**
   * Rejects unless the action is allowed.
   * @throws ForbiddenError (`MAC_FORBIDDEN`)
   */
  assert(principal: P, action: A, resource?: R, options?: CheckOptions): Promise<void>;
  /** The version of the model; part of every decision. */
  readonly version: string;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): RemotePermissionsStats;
}
