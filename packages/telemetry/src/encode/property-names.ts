import type { KeyRules } from '../redact/key-rules.ts';
import { CENSOR } from '../sensitive.ts';
import type { TextWriter } from './text-writer.ts';

/** What is known about a property name: seen once, then remembered. */
export interface PropertyName {
  readonly name: string;
  /** `"name":`, escaped. */
  readonly json: string;
  /** `,"name":`, and the same up to a text, and with a value: made once, since joining text is what a line costs. */
  readonly further: string;
  readonly furtherText: string;
  readonly furtherTrue: string;
  readonly furtherFalse: string;
  /** Its value is never shown, or it depends on what it is a property of. */
  readonly sensitive: boolean | 'depends';
  /** Its place at the top of the line is taken by us. */
  readonly reserved: boolean;
  /** What UTF-8 needs beyond one byte a character. */
  readonly extraBytes: number;
  /** Whether every line of a unit of work begins with it. */
  readonly ofWork: boolean;
  /** Whether it is the same object the next time. */
  readonly remembered: boolean;
  /** What came after it the last time: objects of one shape have the same names in the same order. */
  next: PropertyName | undefined;
  /** The line of work that last had it among what it begins with, as a number. */
  work: number;
}

/** Names come from requests too, so there must be an end to what is remembered. */
const MOST_REMEMBERED = 2_048;
const LONGEST_NAME = 256;
/** The fields of a summary of work, in the order in which they are written. */
export const OF_WORK: readonly string[] = ['event', 'outcome', 'durationMs', 'priority'];

/** Remembers for each property name how it is written and whether it is sensitive. */
export class PropertyNames {
  /** Comes before the first name of a line. */
  readonly start: PropertyName;
  readonly rules: KeyRules;
  readonly #known = new Map<string, PropertyName>();
  readonly #text: TextWriter;
  readonly #reserved: ReadonlySet<string>;
  #changed = 0;

  constructor(rules: KeyRules, text: TextWriter, reserved: ReadonlySet<string>) {
    this.rules = rules;
    this.#reserved = reserved;
    this.#text = text;
    this.start = this.#learn('');
  }

  get(name: string): PropertyName {
    return this.#known.get(name) ?? this.#learn(name);
  }

  /** The same as `get`, for the name that comes after another one: a guess, which mostly saves the look-up. */
  after(previous: PropertyName, name: string): PropertyName {
    const guess = previous.next;
    if (guess !== undefined && guess.name === name) return guess;
    const known = this.#known.get(name);
    if (known === undefined) return this.#learn(name);
    previous.next = known;
    return known;
  }

  #learn(name: string): PropertyName {
    const { limit, extraBytes } = this.#text;
    this.#text.limit = Math.min(limit, LONGEST_NAME);
    let quoted = this.#text.quote(name);
    this.#text.limit = limit;
    const sensitive = this.rules.isSensitive(name) || (this.rules.mayBeSensitive(name) && 'depends');
    const reserved = this.#reserved.has(name);
    const wide = this.#text.extraBytes - extraBytes;
    this.#text.extraBytes = extraBytes;
    const written = (text: string, remembered: boolean): PropertyName => {
      const further = `,${text}:`;
      return {
        name,
        json: `${text}:`,
        further,
        furtherText: `${further}"`,
        furtherTrue: `${further}true`,
        furtherFalse: `${further}false`,
        sensitive,
        reserved,
        extraBytes: wide,
        ofWork: OF_WORK.includes(name),
        remembered,
        next: undefined,
        work: 0,
      };
    };
    if (!quoted.includes(CENSOR) && !quoted.includes('[…')) {
      const known = written(quoted, this.#known.size < MOST_REMEMBERED);
      if (known.remembered) this.#known.set(name, known);
      return known;
    }
    // Cut or redacted: not to be remembered, and two of them could look the same, so a number keeps them apart.
    quoted = `${quoted.slice(0, -1)}#${(this.#changed = (this.#changed + 1) % 1_000_000)}"`;
    return written(quoted, false);
  }
}
