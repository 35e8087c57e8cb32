import { connect, type Socket } from 'node:net';
import type { Clock, Random } from '@macadam/core';
import type { LinkConditions } from './proxy-conditions.ts';
import { ProxyFlow } from './proxy-flow.ts';
import { resetSocket } from './reset-socket.ts';

/** Where connections go. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** What a connection needs from its proxy. */
export interface ProxyConnectionTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly target: ProxyTarget;
  /** Adds to one of the proxy's counts. */
  onCount(name: 'bytesToTarget' | 'bytesToClient' | 'bytesUnderWay' | 'bytesSwallowed', change: number): void;
  onClose(): void;
}

/** One client of the proxy, the connection made to the target on its behalf, and the two flows between them. */
export class ProxyConnection {
  readonly #client: Socket;
  readonly #tools: ProxyConnectionTools;
  #target: Socket | undefined;
  #toTarget: ProxyFlow | undefined;
  #toClient: ProxyFlow | undefined;
  #conditions: LinkConditions;
  /** The target's side is gone and the client does not know. For good, even when the link is up again. */
  #orphaned = false;
  #swallowedBytes = 0;

  constructor(client: Socket, conditions: LinkConditions, tools: ProxyConnectionTools) {
    this.#client = client;
    this.#conditions = conditions;
    this.#tools = tools;
    client.on('data', (bytes) => this.#swallow(bytes));
    client.on('end', () => {
      if (this.#orphaned) client.destroy();
    });
    client.once('close', (hadError) => {
      this.#dropTarget(hadError);
      tools.onClose();
    });
    client.pause();
    this.apply(conditions);
  }

  /** Makes these the conditions from now on. */
  apply(conditions: LinkConditions): void {
    this.#conditions = conditions;
    const { link, bytesPerSecond } = conditions;
    if (link === 'reset' || link === 'refuse') return this.reset();
    if (link === 'halfOpen') return this.#orphan();
    if (this.#orphaned) {
      // What was swallowed is sent again by the client's kernel, and a target that knows nothing of it answers RST.
      if (link === 'up' && this.#swallowedBytes > 0) this.reset();
      return;
    }
    if (link === 'up' && this.#target === undefined) this.#connect();
    this.#toTarget?.apply({ latency: conditions.toTarget, bytesPerSecond });
    this.#toClient?.apply({ latency: conditions.toClient, bytesPerSecond });
    for (const flow of [this.#toTarget, this.#toClient]) {
      if (link === 'blackHole') flow?.hold();
      else flow?.release();
    }
  }

  /** Ends both sides with a TCP RST. */
  reset(): void {
    resetSocket(this.#client);
    this.#dropTarget(true);
  }

  #connect(): void {
    const { clock, random, target: address, onCount } = this.#tools;
    const onUnderWay = (change: number): void => onCount('bytesUnderWay', change);
    const { toTarget, toClient, bytesPerSecond } = this.#conditions;
    const target = connect({ ...address, noDelay: true, allowHalfOpen: true });
    this.#target = target;
    // A target that refuses or resets: the client is told in the same way.
    target.on('error', () => undefined);
    target.once('close', (hadError) => {
      if (this.#orphaned) return;
      if (hadError) resetSocket(this.#client);
    });
    this.#toTarget = new ProxyFlow(
      this.#client,
      target,
      { latency: toTarget, bytesPerSecond },
      {
        clock,
        random,
        onUnderWay,
        onDelivered: (count) => onCount('bytesToTarget', count),
      },
    );
    this.#toClient = new ProxyFlow(
      target,
      this.#client,
      { latency: toClient, bytesPerSecond },
      {
        clock,
        random,
        onUnderWay,
        onDelivered: (count) => onCount('bytesToClient', count),
      },
    );
  }

  #orphan(): void {
    if (this.#orphaned) return;
    this.#orphaned = true;
    this.#dropTarget(false);
    this.#client.resume();
  }

  #swallow(bytes: Buffer): void {
    if (!this.#orphaned) return;
    this.#swallowedBytes += bytes.length;
    this.#tools.onCount('bytesSwallowed', bytes.length);
    if (this.#conditions.link === 'up') this.reset();
  }

  #dropTarget(abruptly: boolean): void {
    this.#toTarget?.stop();
    this.#toClient?.stop();
    const target = this.#target;
    // A socket that is still connecting would put its reset off until it has: for ever, if nothing ever answers.
    if (abruptly && target?.connecting === false) resetSocket(target);
    else target?.destroy();
  }
}
