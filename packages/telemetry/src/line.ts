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

/** What goes into a line. */
export interface Line {
  level: number;
  time: number;
  bindings: Bindings;
  serializers: Serializers | undefined;
  fields: object | undefined;
  /** Written before `fields`; of two with one name these count. */
  lead?: object | undefined;
  message: unknown;
  args: readonly unknown[];
  sampleRate: number | undefined;
}
