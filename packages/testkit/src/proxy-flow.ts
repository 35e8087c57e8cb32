import type { Socket } from 'node:net';
import type { Clock, Random, Timer } from '@macadam/core';
import type { Distribution } from './distribution.ts';

/** How one direction of a connection is slowed. */
export interface FlowConditions {
  readonly latency: Distribution | undefined;
  readonly bytesPerSecond: number;
}

/** Above this many bytes under way the source is no longer read: a link has a capacity, and memory has an end. */
const MOST_UNDER_WAY_BYTES = 262_144;
/** A slow link hands over what it carries in slices of this duration, not in one lump at the end. */
const SLICE_MS = 50;

/** What a flow needs from its proxy. */
export interface FlowTools {
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes arrived (positive), or are no longer under way (negative). */
  onUnderWay(change: number): void;
  onDelivered(count: number): void;
}

interface Parcel {
  /** Undefined for the end of the stream. */
  readonly bytes: Buffer | undefined;
  readonly dueMs: number;
}

/** One direction of a proxied connection: bytes and the end of the stream, in order, each when it is due. */
export class ProxyFlow {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tools: FlowTools;
  readonly #underWay: Parcel[] = [];
  #bytesUnderWay = 0;
  #conditions: FlowConditions;
  #lineFreeAtMs = 0;
  #timer: Timer | undefined;
  #held = false;
  #stopped = false;

  constructor(source: Socket, target: Socket, conditions: FlowConditions, tools: FlowTools) {
    this.#source = source;
    this.#target = target;
    this.#conditions = conditions;
    this.#clock = tools.clock;
    this.#random = tools.random;
    this.#tools = tools;
    source.on('data', (bytes) => this.#take(bytes));
    source.on('end', () => this.#take(undefined));
    target.on('drain', () => this.#readOn());
  }

  /** For what arrives from now on; what is under way keeps its time. */
  apply(conditions: FlowConditions): void {
    this.#conditions = conditions;
  }

  /** Nothing is read and nothing handed over until `release`. */
  hold(): void {
    this.#held = true;
    this.#source.pause();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  release(): void {
    this.#held = false;
    this.#deliver();
    this.#readOn();
  }

  /** Forgets what is under way. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#underWay.length = 0;
    this.#tools.onUnderWay(-this.#bytesUnderWay);
    this.#bytesUnderWay = 0;
  }

  #take(bytes: Buffer | undefined): void {
    if (this.#stopped) return;
    const { bytesPerSecond } = this.#conditions;
    const sliceBytes = Math.max(1, Math.ceil((bytesPerSecond * SLICE_MS) / 1_000));
    const arrivedMs = this.#clock.monotonic() + (this.#conditions.latency?.sample(this.#random) ?? 0);
    if (bytes === undefined) this.#send(undefined, arrivedMs);
    else if (bytes.length <= sliceBytes) this.#send(bytes, arrivedMs);
    else
      for (let at = 0; at < bytes.length; at += sliceBytes) this.#send(bytes.subarray(at, at + sliceBytes), arrivedMs);
    if (this.#bytesUnderWay >= MOST_UNDER_WAY_BYTES) this.#source.pause();
    this.#deliver();
  }

  #send(bytes: Buffer | undefined, arrivedMs: number): void {
    const length = bytes?.length ?? 0;
    // Never before what was sent earlier: TCP keeps the order, whatever single packets do.
    this.#lineFreeAtMs = Math.max(this.#lineFreeAtMs, arrivedMs) + (length * 1_000) / this.#conditions.bytesPerSecond;
    this.#bytesUnderWay += length;
    this.#tools.onUnderWay(length);
    this.#underWay.push({ bytes, dueMs: this.#lineFreeAtMs });
  }

  #deliver(): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.monotonic();
    let delivered = 0;
    for (const { bytes, dueMs } of this.#underWay) {
      if (dueMs > nowMs) break;
      delivered++;
      if (bytes === undefined) {
        this.#target.end();
        continue;
      }
      this.#bytesUnderWay -= bytes.length;
      this.#tools.onUnderWay(-bytes.length);
      if (this.#target.writable) this.#target.write(bytes);
      this.#tools.onDelivered(bytes.length);
    }
    this.#underWay.splice(0, delivered);
    if (this.#target.writableNeedDrain) this.#source.pause();
    else if (delivered > 0) this.#readOn();
    this.#arm(nowMs);
  }

  #arm(nowMs: number): void {
    const first = this.#underWay[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined;
      this.#deliver();
    }, first.dueMs - nowMs);
  }

  #readOn(): void {
    const full = this.#bytesUnderWay >= MOST_UNDER_WAY_BYTES || this.#target.writableNeedDrain;
    if (!this.#held && !this.#stopped && !full) this.#source.resume();
  }
}
