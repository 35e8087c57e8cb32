import { deltaSeconds, listMembers } from './fields.ts';

/** `Cache-Control`, taken apart. Directive names are lower-case; of one that is repeated the first counts. */
export class CacheControl {
  readonly #directives: ReadonlyMap<string, string | undefined>;

  constructor(text: string | undefined) {
    const directives = new Map<string, string | undefined>();
    for (const member of text === undefined ? [] : listMembers(text)) {
      const at = member.indexOf('=');
      const name = (at < 0 ? member : member.slice(0, at)).toLowerCase();
      if (!directives.has(name)) directives.set(name, at < 0 ? undefined : unquoted(member.slice(at + 1)));
    }
    this.#directives = directives;
  }

  has(name: string): boolean {
    return this.#directives.has(name);
  }

  /** Whether the directive stands without a list of fields, and so is about the whole message. */
  isUnqualified(name: string): boolean {
    return this.#directives.has(name) && this.fieldNames(name).length === 0;
  }

  /** The fields a qualified `no-cache` or `private` names, in lower case. */
  fieldNames(name: string): string[] {
    return listMembers(this.#directives.get(name) ?? '').map((field) => field.toLowerCase());
  }

  /** The seconds of a directive; undefined when it is absent or is not a number of seconds. */
  seconds(name: string): number | undefined {
    return deltaSeconds(this.#directives.get(name));
  }
}

function unquoted(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value;
}
