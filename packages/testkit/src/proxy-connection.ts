import { connect, type Socket } from 'node:net';
import type { Clock, Random } from '@macadam/core';
import type { LinkConditions } from './proxy-conditions.ts';
import { ProxyFlow } from './proxy-flow.ts';
import { resetSocket } from './reset-socket.ts';

/** The address that connections are forwarded to. */
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

/** A connection of a client through the proxy: its socket, the socket to the target, and the two flows between them. */
export class ProxyConnection {
  readonly #client: Socket;
  readonly #tools: ProxyConnectionTools;
  #target: Socket | undefined;
  #toTarget: ProxyFlow | undefined;
  #toClient: ProxyFlow | undefined;
  #conditions: LinkConditions;
  /** The connection to the target was closed, and that to the client stays open. Stays true when the link is up again. */
  #isHalfOpen = false;
  #swallowedBytes = 0;

  constructor(client: Socket, conditions: LinkConditions, tools: ProxyConnectionTools) {
    this.#client = client;
    this.#conditions = conditions;
    this.#tools = tools;
    client.on('data', (bytes) => this.#swallowIfHalfOpen(bytes));
    client.on('end', () => {
      if (this.#isHalfOpen) client.destroy();
    });
    client.once('close', (hadError) => {
      this.#endTarget(hadError);
      tools.onClose();
    });
    client.pause();
    this.apply(conditions);
  }

  /** Applies new conditions. */
  apply(conditions: LinkConditions): void {
    this.#conditions = conditions;
    const { link, bytesPerSecond } = conditions;
    if (link === 'reset' || link === 'refuse') return this.reset();
    if (link === 'halfOpen') return this.#closeTargetSide();
    if (this.#isHalfOpen) {
      // On a real network, the client's kernel would retransmit the lost bytes now, and the target would answer with RST.
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

  /** Resets both sides (TCP RST). */
  reset(): void {
    resetSocket(this.#client);
    this.#endTarget(true);
  }

  #connect(): void {
    const { clock, random, target: address, onCount } = this.#tools;
    const onUnderWay = (change: number): void => onCount('bytesUnderWay', change);
    const { toTarget, toClient, bytesPerSecond } = this.#conditions;
    const target = connect({ ...address, noDelay: true, allowHalfOpen: true });
    this.#target = target;
    // `close` handles a target that refuses or resets, by resetting the client. Without a listener, `error` would be thrown.
    target.on('error', () => undefined);
    target.once('close', (hadError) => {
      if (this.#isHalfOpen) return;
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

  #closeTargetSide(): void {
    if (this.#isHalfOpen) return;
    this.#isHalfOpen = true;
    this.#endTarget(false);
    this.#client.resume();
  }

  #swallowIfHalfOpen(bytes: Buffer): void {
    if (!this.#isHalfOpen) return;
    this.#swallowedBytes += bytes.length;
    this.#tools.onCount('bytesSwallowed', bytes.length);
    if (this.#conditions.link === 'up') this.reset();
  }

  #endTarget(withReset: boolean): void {
    this.#toTarget?.stop();
    this.#toClient?.stop();
    const target = this.#target;
    // A socket that is still connecting delays its reset until it is connected: for ever, if the target never answers.
    if (withReset && target?.connecting === false) resetSocket(target);
    else target?.destroy();
  }
}
