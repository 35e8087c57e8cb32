import type { KeyRules } from '../redact/key-rules.ts';
import { CENSOR } from '../sensitive.ts';
import type { TextWriter } from './text-writer.ts';

/** What is known about a property name: how it is written, and whether its value is redacted. Computed once per name. */
export interface PropertyName {
  readonly name: string;
  /** `"name":`, escaped. */
  readonly json: string;
  /** `,"name":`, and the same with the beginning of a string or with a boolean. Prepared, since concatenation is most of the cost of a line. */
  readonly commaJson: string;
  readonly commaString: string;
  readonly commaTrue: string;
  readonly commaFalse: string;
  /** Whether the value is redacted; `depends`: it depends on the object that has the property. */
  readonly sensitive: boolean | 'depends';
  /** Whether the line format uses this name at the top of the line. */
  readonly reserved: boolean;
  /** Bytes of UTF-8 beyond one per character. */
  readonly extraBytes: number;
  /** Whether it is one of {@link SUMMARY_FIELDS}. */
  readonly isSummaryField: boolean;
  /** Whether the next look-up of the name returns this object again. */
  readonly cached: boolean;
  /** The name that followed it last time: objects of one shape have the same names in the same order. */
  likelyNext: PropertyName | undefined;
  /** The number of the last line of a unit of work that has this name among its extra fields. */
  lastExtraLine: number;
}

/** Names can come from requests, so the cache is bounded. */
const MAX_CACHED_NAMES = 2_048;
const MAX_NAME_LENGTH = 256;
/** The fields that begin each line of a unit of work, in the order in which they are written. */
export const SUMMARY_FIELDS: readonly string[] = ['event', 'outcome', 'durationMs', 'priority'];

/** Caches how each property name is written and whether it is sensitive. */
export class PropertyNames {
  /** The predecessor of the first name of an object, for {@link getAfter}. */
  readonly start: PropertyName;
  readonly rules: KeyRules;
  readonly #known = new Map<string, PropertyName>();
  readonly #text: TextWriter;
  readonly #reserved: ReadonlySet<string>;
  #alteredNames = 0;

  constructor(rules: KeyRules, text: TextWriter, reserved: ReadonlySet<string>) {
    this.rules = rules;
    this.#reserved = reserved;
    this.#text = text;
    this.start = this.#create('');
  }

  get(name: string): PropertyName {
    return this.#known.get(name) ?? this.#create(name);
  }

  /** The same as `get`. Tries the name that followed `previous` last time first, which mostly saves the look-up. */
  getAfter(previous: PropertyName, name: string): PropertyName {
    const guess = previous.likelyNext;
    if (guess !== undefined && guess.name === name) return guess;
    const known = this.#known.get(name);
    if (known === undefined) return this.#create(name);
    previous.likelyNext = known;
    return known;
  }

  #create(name: string): PropertyName {
    const { limit, extraBytes } = this.#text;
    this.#text.limit = Math.min(limit, MAX_NAME_LENGTH);
    let quoted = this.#text.quote(name);
    this.#text.limit = limit;
    const sensitive = this.rules.isSensitive(name) || (this.rules.mayBeSensitive(name) && 'depends');
    const reserved = this.#reserved.has(name);
    const ownExtraBytes = this.#text.extraBytes - extraBytes;
    this.#text.extraBytes = extraBytes;
    const propertyName = (text: string, cached: boolean): PropertyName => {
      const commaJson = `,${text}:`;
      return {
        name,
        json: `${text}:`,
        commaJson,
        commaString: `${commaJson}"`,
        commaTrue: `${commaJson}true`,
        commaFalse: `${commaJson}false`,
        sensitive,
        reserved,
        extraBytes: ownExtraBytes,
        isSummaryField: SUMMARY_FIELDS.includes(name),
        cached,
        likelyNext: undefined,
        lastExtraLine: 0,
      };
    };
    if (!quoted.includes(CENSOR) && !quoted.includes('[…')) {
      const known = propertyName(quoted, this.#known.size < MAX_CACHED_NAMES);
      if (known.cached) this.#known.set(name, known);
      return known;
    }
    // Cut or redacted names can look the same although they differ, so a number makes each unique. It is not cached.
    quoted = `${quoted.slice(0, -1)}#${(this.#alteredNames = (this.#alteredNames + 1) % 1_000_000)}"`;
    return propertyName(quoted, false);
  }
}
