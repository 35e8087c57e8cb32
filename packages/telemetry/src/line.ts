import type { Serializers } from './options.ts';

/** A field of a logger's bindings; `json` is `,"a":1`. */
export interface BoundField {
  readonly name: string;
  readonly json: string;
  /** Whether the line format uses the name itself, so that the field is written below `shadowed`. */
  readonly reserved: boolean;
}

/** From this number of fields on, a look-up in a set is faster than a search. */
const SET_FROM_FIELDS = 8;

/** The fields that a logger adds to each of its lines, serialized once. Their names are unique. */
export class Bindings {
  readonly fields: readonly BoundField[];
  /** `,"a":1,"b":2` */
  readonly json: string;
  /** The same of the fields whose names are reserved. */
  readonly shadowed: string;
  /** The length of both, in bytes of UTF-8. */
  readonly bytes: number;
  #names: ReadonlySet<string> | undefined;

  constructor(fields: readonly BoundField[]) {
    this.fields = fields;
    let json = '';
    let shadowed = '';
    for (const field of fields) {
      if (field.reserved) shadowed += field.json;
      else json += field.json;
    }
    this.json = json;
    this.shadowed = shadowed;
    this.bytes = Buffer.byteLength(json) + (shadowed === '' ? 0 : Buffer.byteLength(shadowed));
  }

  has(name: string): boolean {
    if (this.fields.length < SET_FROM_FIELDS) {
      for (const field of this.fields) if (field.name === name) return true;
      return false;
    }
    this.#names ??= new Set(this.fields.map((field) => field.name));
    return this.#names.has(name);
  }

  /** Returns these bindings without the fields of the given names. */
  without(names: { has(name: string): boolean }): Bindings {
    return new Bindings(this.fields.filter(({ name }) => !names.has(name)));
  }

  /** Returns these bindings with the added ones, which replace those of the same name. */
  with(added: Bindings): Bindings {
    if (added.fields.length === 0) return this;
    if (this.fields.length === 0) return added;
    return new Bindings([...this.fields.filter(({ name }) => !added.has(name)), ...added.fields]);
  }
}

export const noBindings: Bindings = new Bindings([]);

/** The fields with which the line of a unit of work begins. */
export interface WorkSummary {
  readonly event: string;
  readonly outcome: string;
  readonly durationMs: number;
  readonly priority: string;
  /** Fields that only some lines have, such as `slow` and `err`. They replace annotations of the same name. */
  readonly extraFields: object | undefined;
}

/** The content of a line. */
export interface Line {
  level: number;
  time: number;
  bindings: Bindings;
  serializers: Serializers | undefined;
  fields: object | undefined;
  /** Written before `fields`, which it replaces where names are the same. */
  work: WorkSummary | undefined;
  message: unknown;
  args: readonly unknown[];
  sampleRate: number | undefined;
}

/** What the fields of a line decide about its other parts. */
export interface FieldEffects {
  /** The message, if a field holds it. */
  message: string | undefined;
  /** Names of bindings that a field replaces. */
  replacedBindings: Set<string> | undefined;
  /** JSON of the fields whose names are reserved. */
  shadowed: string;
}
