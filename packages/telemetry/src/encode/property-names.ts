import type { KeyRules } from '../redact/key-rules.ts';
import { CENSOR } from '../sensitive.ts';
import type { TextWriter } from './text-writer.ts';

/** What is known about a property name: seen once, then remembered. */
export interface PropertyName {
  /** `"name":`, escaped. */
  readonly json: string;
  /** Its value is never shown. */
  readonly sensitive: boolean;
  /** Its place at the top of the line is taken by us. */
  readonly reserved: boolean;
  /** What UTF-8 needs beyond one byte a character. */
  readonly extraBytes: number;
}

/** Names come from requests too, so there must be an end to what is remembered. */
const MOST_REMEMBERED = 2_048;
const LONGEST_NAME = 256;

/** Remembers for each property name how it is written and whether it is sensitive. */
export class PropertyNames {
  readonly #known = new Map<string, PropertyName>();
  readonly #rules: KeyRules;
  readonly #text: TextWriter;
  readonly #reserved: ReadonlySet<string>;
  #changed = 0;

  constructor(rules: KeyRules, text: TextWriter, reserved: ReadonlySet<string>) {
    this.#rules = rules;
    this.#reserved = reserved;
    this.#text = text;
  }

  get(name: string): PropertyName {
    return this.#known.get(name) ?? this.#learn(name);
  }

  #learn(name: string): PropertyName {
    const { limit, extraBytes } = this.#text;
    this.#text.limit = Math.min(limit, LONGEST_NAME);
    let quoted = this.#text.quote(name);
    this.#text.limit = limit;
    const sensitive = this.#rules.isSensitive(name);
    const reserved = this.#reserved.has(name);
    const known = { json: `${quoted}:`, sensitive, reserved, extraBytes: this.#text.extraBytes - extraBytes };
    this.#text.extraBytes = extraBytes;
    if (!quoted.includes(CENSOR) && !quoted.includes('[…')) {
      if (this.#known.size < MOST_REMEMBERED) this.#known.set(name, known);
      return known;
    }
    // Cut or redacted: not to be remembered, and two of them could look the same, so a number keeps them apart.
    quoted = `${quoted.slice(0, -1)}#${(this.#changed = (this.#changed + 1) % 1_000_000)}"`;
    return { ...known, json: `${quoted}:` };
  }
}
