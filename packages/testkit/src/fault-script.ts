import {
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  OptionsError,
} from '@macadam/core';
import type { ReceivedRequest } from './fault-exchange.ts';
import { assertFault, type Fault } from './fault.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A time window, counted from when the rules were set. */
export interface TimeWindow {
  /** The start in milliseconds, inclusive, at least 0. Default: 0. */
  fromMs?: number;
  /** The end in milliseconds, exclusive, above `fromMs`. Default: `Infinity`. */
  toMs?: number;
}

/** A range of request numbers. */
export interface RequestRange {
  /** The first and the last request, both inclusive, counted from 1 since the rules were set. */
  requests: readonly [first: number, last: number];
}

/**
 * Which faults apply, when and how often.
 *
 * @example
 * ```ts
 * import { respond, slow, startFaultServer } from '@macadam/testkit';
 *
 * const upstream = await startFaultServer({
 *   faults: [
 *     { fault: respond(503), when: { requests: [1, 2] } },
 *     { fault: slow(200), share: 0.1 },
 *   ],
 * });
 * await upstream.close();
 * ```
 */
export interface FaultRule {
  /** One fault, or several applied in order until one ends the exchange. */
  fault: Fault | readonly Fault[];
  /** When the rule applies: a time window, a range of request numbers, or a predicate (whose errors are answered with 500). Default: always. */
  when?: TimeWindow | RequestRange | ((request: ReceivedRequest) => boolean);
  /** The share of those requests that the faults apply to, 0 to 1, drawn from the seed. Default: 1. */
  share?: number;
}

interface CompiledRule {
  readonly faults: readonly Fault[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly first: number;
  readonly last: number;
  readonly predicate: ((request: ReceivedRequest) => boolean) | undefined;
  readonly share: number;
  readonly random: SeededRandom;
}

/**
 * Decides which faults apply to a request, a connection or the listener. Pure: time and request numbers are arguments.
 * Each rule draws from its own fork of the random source, so that adding a rule does not change what the others select.
 */
export class FaultScript {
  readonly #rules: readonly CompiledRule[];

  constructor(path: string, rules: readonly FaultRule[], random: SeededRandom) {
    if (!Array.isArray(rules)) throw new OptionsError(path, rules, 'an array of rules { fault, when?, share? }');
    this.#rules = rules.map((rule, index) =>
      compile(`${path}[${index}]`, rule as FaultRule, random.fork(`rule ${index}`)),
    );
  }

  /** Returns the faults for a request, in order. `count` is its number since the rules were set. */
  forRequest(request: ReceivedRequest, count: number, elapsedMs: number): Fault[] {
    const matching = this.#rules.filter(
      (rule) => isInRange(rule, count, elapsedMs) && (rule.predicate?.(request) ?? true) && isSelected(rule),
    );
    return matching.flatMap((rule) => rule.faults);
  }

  /** Returns the fault for a connection that was just accepted. `count` is the number that its first request would have. */
  forConnection(count: number, elapsedMs: number): Fault | undefined {
    for (const rule of this.#rules) {
      const fault = rule.faults.find(({ level }) => level === 'connection');
      if (fault !== undefined && rule.predicate === undefined && isInRange(rule, count, elapsedMs) && isSelected(rule))
        return fault;
    }
    return undefined;
  }

  describe(): string {
    if (this.#rules.length === 0) return 'answers every request';
    return this.#rules.map(describeRule).join('; ');
  }

  refusesAt(elapsedMs: number): boolean {
    return this.#listenerRules().some(({ fromMs, toMs }) => elapsedMs >= fromMs && elapsedMs < toMs);
  }

  /** Returns when the result of `refusesAt` can change next; Infinity if never. */
  nextChangeMs(elapsedMs: number): number {
    const changes = this.#listenerRules().flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
    return Math.min(Infinity, ...changes.filter((ms) => ms > elapsedMs));
  }

  #listenerRules(): CompiledRule[] {
    return this.#rules.filter((rule) => rule.faults.some(({ level }) => level === 'listener'));
  }
}

function isInRange(rule: CompiledRule, count: number, elapsedMs: number): boolean {
  return elapsedMs >= rule.fromMs && elapsedMs < rule.toMs && count >= rule.first && count <= rule.last;
}

function isSelected(rule: CompiledRule): boolean {
  return rule.share === 1 || rule.random() < rule.share;
}

function describeRule({ faults, fromMs, toMs, first, last, predicate, share }: CompiledRule): string {
  const parts = [faults.map((fault) => fault.describe()).join(', then ')];
  if (share < 1) parts.push(`for ${share * 100} % of requests`);
  if (first > 1 || last < Infinity) parts.push(`for requests ${first} to ${last}`);
  if (fromMs > 0 || toMs < Infinity) parts.push(`from ${fromMs} ms to ${toMs} ms`);
  if (predicate !== undefined) parts.push('where a predicate holds');
  return parts.join(' ');
}

function compile(path: string, rule: FaultRule, random: SeededRandom): CompiledRule {
  assertObject(path, rule);
  assertKnownOptions(path, rule, ['fault', 'when', 'share']);
  const { when, share = 1 } = rule;
  const faults: readonly unknown[] = Array.isArray(rule.fault) ? rule.fault : [rule.fault];
  faults.forEach((fault) => assertFault(`${path}.fault`, fault));
  assertNumber(`${path}.share`, share, { min: 0, max: 1 });
  const compiled: CompiledRule = {
    faults: faults as readonly Fault[],
    ...compileWhen(`${path}.when`, when),
    share,
    random,
  };
  const refuses = compiled.faults.some(({ level }) => level === 'listener');
  if (refuses && (share !== 1 || (when !== undefined && (typeof when === 'function' || 'requests' in when)))) {
    throw new OptionsError(path, rule, 'a rule with a time window only, since refuse() affects the whole server');
  }
  return compiled;
}

function compileWhen(path: string, when: FaultRule['when']): Omit<CompiledRule, 'faults' | 'share' | 'random'> {
  const always = { fromMs: 0, toMs: Infinity, first: 1, last: Infinity, predicate: undefined };
  if (when === undefined) return always;
  if (typeof when === 'function') {
    assertFunction(path, when);
    return { ...always, predicate: when };
  }
  assertObject(path, when);
  if ('requests' in when) {
    assertKnownOptions(path, when, ['requests']);
    if (!Array.isArray(when.requests) || when.requests.length !== 2) {
      throw new OptionsError(`${path}.requests`, when.requests, 'the numbers of the first and the last request');
    }
    const [first, last] = when.requests;
    assertInteger(`${path}.requests[0]`, first, { min: 1 });
    assertInteger(`${path}.requests[1]`, last, { min: first, infinite: true });
    return { ...always, first, last };
  }
  assertKnownOptions(path, when, ['fromMs', 'toMs']);
  const { fromMs = 0, toMs = Infinity } = when;
  assertNumber(`${path}.fromMs`, fromMs, { min: 0 });
  assertNumber(`${path}.toMs`, toMs, { above: fromMs, infinite: true });
  return { ...always, fromMs, toMs };
}
