/**
 * Takes from a limiter with a single fixed window, with `INCREX` of Redis 8.8 and Valkey 9.2: it adds to a number unless
 * that would exceed a bound, and sets a time to live if there is none. The first request finds out whether the server
 * supports it; if not, the script decides.
 *
 * The number is the ratio of the limit that is used, not a count, so that it stays right when the limit changes. Redis
 * writes it with 17 decimals, which is precise enough for limits up to ten million. A period has to be in whole
 * milliseconds, as times to live are: otherwise nobody could tell to a fraction of one when a window began.
 */
import { fillDecision, slackOf, wholeRemaining, type Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import { draftDecision } from '../store/combine-decisions.ts';
import { isErrorReply, rawSenderOf, type RedisClient, type SendCommand } from './client.ts';

const MAX_INCREX_LIMIT = 10_000_000;

/** What `INCREX` did. It cannot see a block, so for a blocked key it may have counted what is to be denied. */
export interface Counted {
  readonly decision: Decision;
  readonly isBlocked: boolean;
}

/** Clients whose server does not support `INCREX`, or does not permit it. */
const clientsWithoutIncrex = new WeakSet<RedisClient>();
/** Clients whose server has executed `INCREX`. */
const clientsWithIncrex = new WeakSet<RedisClient>();

export class IncrexCommand {
  readonly #client: RedisClient;
  readonly #send: SendCommand;
  readonly #limit: Limit;

  private constructor(client: RedisClient, send: SendCommand, limit: Limit) {
    this.#client = client;
    this.#send = send;
    this.#limit = limit;
  }

  /** Undefined if the limits or the client cannot use `INCREX`. */
  static of(client: RedisClient, [limit, ...others]: readonly Limit[]): IncrexCommand | undefined {
    if (limit?.kind !== 'fixedWindow' || others.length > 0 || limit.limit > MAX_INCREX_LIMIT) return undefined;
    if (!Number.isInteger(limit.periodMs)) return undefined;
    const send = rawSenderOf(client);
    return send === undefined ? undefined : new IncrexCommand(client, send, limit);
  }

  /** Whether the server is known to support it: the script then stores windows in a form that `INCREX` can count. */
  get inUse(): boolean {
    return clientsWithIncrex.has(this.#client);
  }

  /** Whether the server is not known to lack it. */
  get mayBeSupported(): boolean {
    return !clientsWithoutIncrex.has(this.#client);
  }

  /** Returns undefined, and takes nothing, if the script has to decide. */
  async take(key: string, blockKey: string, cost: number): Promise<Counted | undefined> {
    if (!this.mayBeSupported) return undefined;
    const { limit, periodMs } = this.#limit;
    const slack = slackOf(limit);
    const increx = ['INCREX', key, 'BYFLOAT', String(cost / limit), 'UBOUND', String(1 + slack / limit)];
    // Pipelined. PEXPIRETIME is the end of the window; together with PTTL it gives the millisecond on the server.
    const [counted, ends, left, block] = await Promise.allSettled([
      this.#send([...increx, 'PX', String(periodMs), 'ENX']),
      this.#send(['PEXPIRETIME', key]),
      this.#send(['PTTL', key]),
      this.#send(['EXISTS', blockKey]),
    ]);
    if (counted.status === 'rejected') {
      // The window is stored in the form of the script, or the value is not ours.
      if (isErrorReply(counted.reason, 'ERR value') || isErrorReply(counted.reason, 'WRONGTYPE')) return undefined;
      // The server, or a proxy before it, does not know or does not permit the command: it is not sent again.
      if (isErrorReply(counted.reason, 'ERR') || isErrorReply(counted.reason, 'NOPERM')) {
        clientsWithoutIncrex.add(this.#client);
        clientsWithIncrex.delete(this.#client);
        return undefined;
      }
      throw counted.reason;
    }
    clientsWithIncrex.add(this.#client);
    const [used, added] = (counted.value as [unknown, unknown]).map(Number) as [number, number];
    const allowed = added > 0;
    const endsAt = ends.status === 'fulfilled' ? Number(ends.value) : -1;
    const leftMs = left.status === 'fulfilled' ? Number(left.value) : -1;
    // The key lost its time to live, so the window would never end: the script starts a new one.
    if (!allowed && endsAt === -1) return undefined;
    // A key still exists in the millisecond in which it expires.
    const resetMs = Math.max(1, leftMs + 1);
    const decision = draftDecision(this.#limit, 'store', endsAt < 0 ? 0 : endsAt - leftMs);
    const remaining = wholeRemaining(limit * (1 - used), limit, slack);
    fillDecision(decision, allowed, limit, remaining, allowed ? 0 : resetMs, resetMs);
    if (allowed) decision.granted = cost;
    return { decision, isBlocked: block.status === 'fulfilled' && Number(block.value) > 0 };
  }
}
