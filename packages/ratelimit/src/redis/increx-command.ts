/**
 * What is asked of a limiter with a single fixed window, by `INCREX`, which Redis has from 8.8 on and Valkey from 9.2: it adds to a
 * number unless that would take it above a bound, and gives it a time to live when it has none. Whether the server has it is found
 * out by the first request, which is answered by the script if not.
 *
 * The number is the share of the limit that is used, and not how many, so that a limit that changes finds the same share used. Redis
 * writes it with 17 decimals, which is exact enough for limits of up to a hundred million. A window that is blocked has the form of
 * the script, which `INCREX` refuses to count in; whoever is refused so asks the script.
 */
import { fillDecision, SLACK, wholeRemaining, type Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import { draftDecision } from '../store/combine-decisions.ts';
import { isReply, rawSenderOf, type RedisClient, type Sender } from './client.ts';

const MAX_INCREX_LIMIT = 100_000_000;

/** Clients whose server does not have it, or does not let us use it. */
const clientsWithoutIncrex = new WeakSet<RedisClient>();
/** Clients whose server has answered it. */
const clientsWithIncrex = new WeakSet<RedisClient>();

export class IncrexCommand {
  readonly #client: RedisClient;
  readonly #send: Sender;
  readonly #limit: Limit;

  private constructor(client: RedisClient, send: Sender, limit: Limit) {
    this.#client = client;
    this.#send = send;
    this.#limit = limit;
  }

  /** Undefined where the limits or the client are not made for it. */
  static of(client: RedisClient, [limit, ...others]: readonly Limit[]): IncrexCommand | undefined {
    if (limit?.kind !== 'fixedWindow' || others.length > 0 || limit.limit > MAX_INCREX_LIMIT) return undefined;
    const send = rawSenderOf(client);
    return send === undefined ? undefined : new IncrexCommand(client, send, limit);
  }

  /** Whether windows are kept as `INCREX` can count them. */
  get inUse(): boolean {
    return clientsWithIncrex.has(this.#client);
  }

  /** Whether a request is worth it: the server is not known to be without. */
  get mayCount(): boolean {
    return !clientsWithoutIncrex.has(this.#client);
  }

  /** Undefined when the script has to decide; nothing was taken then. */
  async take(key: string, cost: number): Promise<Decision | undefined> {
    if (!this.mayCount) return undefined;
    const { limit, periodMs } = this.#limit;
    const asked = ['INCREX', key, 'BYFLOAT', String(cost / limit), 'UBOUND', String(1 + SLACK)];
    // They travel together. Of the last two, one tells when the window ends, both what time it is.
    const [counted, ends, left] = await Promise.allSettled([
      this.#send([...asked, 'PX', String(Math.ceil(periodMs)), 'ENX']),
      this.#send(['PEXPIRETIME', key]),
      this.#send(['PTTL', key]),
    ]);
    if (counted.status === 'rejected') {
      // The window is of the script's form, or was left there by somebody else.
      if (isReply(counted.reason, 'ERR value') || isReply(counted.reason, 'WRONGTYPE')) return undefined;
      // Neither a server nor a proxy that does not know the command, or does not allow it, needs to be asked again.
      if (isReply(counted.reason, 'ERR') || isReply(counted.reason, 'NOPERM')) {
        clientsWithoutIncrex.add(this.#client);
        clientsWithIncrex.delete(this.#client);
        return undefined;
      }
      throw counted.reason;
    }
    clientsWithIncrex.add(this.#client);
    const [share, added] = (counted.value as [unknown, unknown]).map(Number) as [number, number];
    const allowed = added > 0;
    const endsAt = ends.status === 'fulfilled' ? Number(ends.value) : -1;
    const leftMs = left.status === 'fulfilled' ? Number(left.value) : -1;
    // It never ends, since somebody else took its time to live: the script begins another.
    if (!allowed && endsAt === -1) return undefined;
    // A key lives through the millisecond at which it expires.
    const resetMs = Math.max(1, leftMs + 1);
    const decision = draftDecision(this.#limit, 'store', endsAt < 0 ? 0 : endsAt - leftMs + 1);
    const remaining = wholeRemaining(limit * (1 - share), limit, limit * SLACK);
    fillDecision(decision, allowed, limit, remaining, allowed ? 0 : resetMs, resetMs);
    if (allowed) decision.granted = cost;
    return decision;
  }
}
