import type { Serializers } from './options.ts';

/** Fields that stand on every line of a logger, written once. */
export interface Bindings {
  readonly entries: readonly { readonly name: string; readonly json: string }[];
  readonly names: ReadonlySet<string>;
  /** `,"a":1,"b":2` */
  readonly json: string;
  readonly bytes: number;
}

export const noBindings: Bindings = { entries: [], names: new Set(), json: '', bytes: 0 };

/** Bindings of these entries, whose names differ. */
export function bindingsOf(entries: Bindings['entries']): Bindings {
  const json = entries.map((entry) => entry.json).join('');
  return { entries, names: new Set(entries.map(({ name }) => name)), json, bytes: Buffer.byteLength(json) };
}

/** The bindings whose names are not among these. */
export function withoutNames(bindings: Bindings, names: ReadonlySet<string>): Bindings {
  return bindingsOf(bindings.entries.filter(({ name }) => !names.has(name)));
}

/** What the line of a unit of work says before anything else. */
export interface WorkSummary {
  readonly event: string;
  readonly outcome: string;
  readonly durationMs: number;
  readonly priority: string;
  /** What not every line has. */
  readonly more: object | undefined;
}

/** What goes into a line. */
export interface Line {
  level: number;
  time: number;
  bindings: Bindings;
  serializers: Serializers | undefined;
  fields: object | undefined;
  /** Written before `fields`; of two with one name this counts. */
  work?: WorkSummary | undefined;
  message: unknown;
  args: readonly unknown[];
  sampleRate: number | undefined;
}
