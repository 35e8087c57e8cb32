import type { Socket } from 'node:net';
import type { Clock, Random, Timer } from '@macadam/core';
import type { Distribution } from './distribution.ts';

/** Latency and bandwidth of one direction of a connection. */
export interface FlowConditions {
  readonly latency: Distribution | undefined;
  readonly bytesPerSecond: number;
}

/** The capacity of a direction: with more bytes under way the source is not read, which bounds the memory of the proxy. */
const MAX_UNDER_WAY_BYTES = 262_144;
/** A limited bandwidth delivers bytes in slices of this duration, so that they arrive evenly and not all at the end. */
const SLICE_MS = 50;

/** What a flow needs from its proxy. */
export interface FlowTools {
  readonly clock: Clock;
  readonly random: Random;
  /** Called when bytes were received (positive), or are no longer under way (negative). */
  onUnderWay(change: number): void;
  onDelivered(count: number): void;
}

interface Slice {
  /** The bytes; undefined for the end of the stream. */
  readonly bytes: Buffer | undefined;
  readonly dueMs: number;
}

/** One direction of a proxied connection. Delivers bytes and the end of the stream in order, each when it is due. */
export class ProxyFlow {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tools: FlowTools;
  readonly #underWay: Slice[] = [];
  #bytesUnderWay = 0;
  #conditions: FlowConditions;
  #lastDueMs = 0;
  #timer: Timer | undefined;
  #isHeld = false;
  #isStopped = false;

  constructor(source: Socket, target: Socket, conditions: FlowConditions, tools: FlowTools) {
    this.#source = source;
    this.#target = target;
    this.#conditions = conditions;
    this.#clock = tools.clock;
    this.#random = tools.random;
    this.#tools = tools;
    source.on('data', (bytes) => this.#receive(bytes));
    source.on('end', () => this.#receive(undefined));
    target.on('drain', () => this.#resumeSource());
  }

  /** Applies new conditions to bytes received from now on. Bytes under way keep their time of delivery. */
  apply(conditions: FlowConditions): void {
    this.#conditions = conditions;
  }

  /** Stops reading and delivering until `release`. */
  hold(): void {
    this.#isHeld = true;
    this.#source.pause();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  release(): void {
    this.#isHeld = false;
    this.#deliver();
    this.#resumeSource();
  }

  /** Drops all bytes under way, and delivers nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#underWay.length = 0;
    this.#tools.onUnderWay(-this.#bytesUnderWay);
    this.#bytesUnderWay = 0;
  }

  #receive(bytes: Buffer | undefined): void {
    if (this.#isStopped) return;
    const { bytesPerSecond } = this.#conditions;
    const sliceBytes = Math.max(1, Math.ceil((bytesPerSecond * SLICE_MS) / 1_000));
    const arrivesAtMs = this.#clock.monotonic() + (this.#conditions.latency?.sample(this.#random) ?? 0);
    if (bytes === undefined) this.#schedule(undefined, arrivesAtMs);
    else if (bytes.length <= sliceBytes) this.#schedule(bytes, arrivesAtMs);
    else
      for (let start = 0; start < bytes.length; start += sliceBytes)
        this.#schedule(bytes.subarray(start, start + sliceBytes), arrivesAtMs);
    if (this.#bytesUnderWay >= MAX_UNDER_WAY_BYTES) this.#source.pause();
    this.#deliver();
  }

  #schedule(bytes: Buffer | undefined, arrivesAtMs: number): void {
    const length = bytes?.length ?? 0;
    // Never before earlier bytes: TCP delivers in order, even if a later packet has less latency.
    this.#lastDueMs = Math.max(this.#lastDueMs, arrivesAtMs) + (length * 1_000) / this.#conditions.bytesPerSecond;
    this.#bytesUnderWay += length;
    this.#tools.onUnderWay(length);
    this.#underWay.push({ bytes, dueMs: this.#lastDueMs });
  }

  #deliver(): void {
    if (this.#isStopped) return;
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
    else if (delivered > 0) this.#resumeSource();
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

  #resumeSource(): void {
    const isFull = this.#bytesUnderWay >= MAX_UNDER_WAY_BYTES || this.#target.writableNeedDrain;
    if (!this.#isHeld && !this.#isStopped && !isFull) this.#source.resume();
  }
}
