import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  OptionsError,
} from '@macadam/core';

/** When a fault of a simulated server applies, and to which instances. */
export interface FaultSpan {
  /** The start in milliseconds after the start of the simulation, at least 0. */
  fromMs: number;
  /** The end in milliseconds, exclusive; `Infinity` for a fault that lasts. */
  toMs: number;
  /** The instances it applies to, counted from 0. Default: all. */
  instances?: readonly number[];
}

/** Refuses all requests at once. Requests in progress are still answered. */
export interface DownFault extends FaultSpan {
  /** The kind of the fault. */
  kind: 'down';
}

/** Accepts requests and never answers; responses under way are lost. */
export interface BlackHoleFault extends FaultSpan {
  /** The kind of the fault. */
  kind: 'blackHole';
}

/** Answers a share of the requests with an error, after the usual time. */
export interface ErrorFault extends FaultSpan {
  /** The kind of the fault. */
  kind: 'errors';
  /** The share of requests that fail, above 0, at most 1. */
  ratio: number;
}

/** Slows down the requests that begin during the fault. */
export interface SlowFault extends FaultSpan {
  /** The kind of the fault. */
  kind: 'slow';
  /** How many times longer requests take, at least 1. */
  factor: number;
}

/** Stops the server, which loses its queue and the requests in progress, and starts it again at `toMs`. */
export interface RestartFault extends FaultSpan {
  /** The kind of the fault. */
  kind: 'restart';
  /** How long the server is slower after the restart, in milliseconds, at least 0. Default: 0. */
  coldMs?: number;
  /** How many times longer requests take right after the restart, at least 1, falling linearly to 1. Default: 1. */
  coldFactor?: number;
}

/** A fault of a simulated server. Several may overlap. */
export type ServerFault = BlackHoleFault | DownFault | ErrorFault | RestartFault | SlowFault;

/** The effects of all faults of one instance at a point in time. */
export class InstanceFaults {
  readonly #faults: readonly ServerFault[];

  constructor(faults: readonly ServerFault[], instance: number) {
    this.#faults = faults.filter(({ instances }) => instances === undefined || instances.includes(instance));
  }

  get restarts(): readonly RestartFault[] {
    return this.#faults.filter((fault) => fault.kind === 'restart');
  }

  isDown(atMs: number): boolean {
    return this.#faults.some((fault) => (fault.kind === 'down' || fault.kind === 'restart') && isWithin(fault, atMs));
  }

  losesResponses(atMs: number): boolean {
    return this.#faults.some((fault) => fault.kind === 'blackHole' && isWithin(fault, atMs));
  }

  errorRatio(atMs: number): number {
    let ratio = 0;
    for (const fault of this.#faults) {
      if (fault.kind === 'errors' && isWithin(fault, atMs)) ratio = Math.max(ratio, fault.ratio);
    }
    return ratio;
  }

  /** The factor on the service time of requests that begin at `atMs`. */
  slowdown(atMs: number): number {
    let factor = 1;
    for (const fault of this.#faults) {
      if (fault.kind === 'slow' && isWithin(fault, atMs)) factor *= fault.factor;
      else if (fault.kind === 'restart') factor *= coldStartFactor(fault, atMs);
    }
    return factor;
  }
}

function isWithin({ fromMs, toMs }: ServerFault, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs;
}

function coldStartFactor({ toMs, coldMs = 0, coldFactor = 1 }: RestartFault, atMs: number): number {
  if (atMs < toMs || atMs >= toMs + coldMs) return 1;
  return 1 + (coldFactor - 1) * (1 - (atMs - toMs) / coldMs);
}

const SPAN = ['kind', 'fromMs', 'toMs', 'instances'];
const OPTIONS: Readonly<Record<ServerFault['kind'], readonly string[]>> = {
  blackHole: SPAN,
  down: SPAN,
  errors: [...SPAN, 'ratio'],
  restart: [...SPAN, 'coldMs', 'coldFactor'],
  slow: [...SPAN, 'factor'],
};

/** Throws OptionsError unless `fault` is valid for a service with this number of instances. */
export function assertServerFault(path: string, fault: ServerFault, instances: number): void {
  assertObject(path, fault);
  assertOneOf(`${path}.kind`, fault.kind, Object.keys(OPTIONS));
  assertKnownOptions(path, fault, OPTIONS[fault.kind]);
  assertDurationMs(`${path}.fromMs`, fault.fromMs, { min: 0 });
  assertDurationMs(`${path}.toMs`, fault.toMs, { min: fault.fromMs, infinite: true });
  if (fault.instances !== undefined && !Array.isArray(fault.instances)) {
    throw new OptionsError(`${path}.instances`, fault.instances, 'a list of the numbers of instances');
  }
  for (const [i, instance] of (fault.instances ?? []).entries()) {
    assertInteger(`${path}.instances[${i}]`, instance, { min: 0, max: instances - 1 });
  }
  if (fault.kind === 'errors') assertNumber(`${path}.ratio`, fault.ratio, { above: 0, max: 1 });
  if (fault.kind === 'slow') assertNumber(`${path}.factor`, fault.factor, { min: 1 });
  if (fault.kind === 'restart') {
    assertDurationMs(`${path}.coldMs`, fault.coldMs ?? 0, { min: 0 });
    assertNumber(`${path}.coldFactor`, fault.coldFactor ?? 1, { min: 1 });
  }
}
