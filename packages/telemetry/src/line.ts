import type { Serializers } from './options.ts';

/** A field of bindings, as JSON: `,"a":1`. */
export interface BoundField {
  readonly name: string;
  readonly json: string;
}

/** From this many on a set is faster than a look at each. */
const MANY = 8;

/** Fields that stand on every line of a logger, written once. Their names differ. */
export class Bindings {
  readonly fields: readonly BoundField[];
  /** `,"a":1,"b":2` */
  readonly json: string;
  readonly bytes: number;
  #names: ReadonlySet<string> | undefined;

  constructor(fields: readonly BoundField[]) {
    this.fields = fields;
    let json = '';
    for (const field of fields) json += field.json;
    this.json = json;
    this.bytes = Buffer.byteLength(json);
  }

  has(name: string): boolean {
    if (this.fields.length < MANY) {
      for (const field of this.fields) if (field.name === name) return true;
      return false;
    }
    this.#names ??= new Set(this.fields.map((field) => field.name));
    return this.#names.has(name);
  }

  /** Without those of these names. */
  without(names: { has(name: string): boolean }): Bindings {
    return new Bindings(this.fields.filter(({ name }) => !names.has(name)));
  }

  /** With these as well; of two with one name the added one counts. */
  with(added: Bindings): Bindings {
    if (added.fields.length === 0) return this;
    if (this.fields.length === 0) return added;
    return new Bindings([...this.fields.filter(({ name }) => !added.has(name)), ...added.fields]);
  }
}

export const noBindings: Bindings = new Bindings([]);

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
