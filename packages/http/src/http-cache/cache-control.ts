import { isHeaderName } from '../headers.ts';
import { deltaSeconds, listMembers } from './fields.ts';

/**
 * `Cache-Control`, taken apart. Directive names are lower-case. Of seconds that are told more than once the first count; of a
 * directive about fields all that was told counts together, the strictest way to read it (RFC 9111, section 4.2.1).
 */
export class CacheControl {
  readonly #directives: ReadonlyMap<string, readonly (string | undefined)[]>;

  constructor(text: string | undefined) {
    const directives = new Map<string, (string | undefined)[]>();
    for (const member of text === undefined ? [] : listMembers(text)) {
      const at = member.indexOf('=');
      const name = (at < 0 ? member : member.slice(0, at)).toLowerCase();
      const value = at < 0 ? undefined : unquoted(member.slice(at + 1));
      const values = directives.get(name);
      if (values === undefined) directives.set(name, [value]);
      else values.push(value);
    }
    this.#directives = directives;
  }

  has(name: string): boolean {
    return this.#directives.has(name);
  }

  /** Whether the directive stands without a value. */
  isBare(name: string): boolean {
    const values = this.#directives.get(name);
    return values !== undefined && values[0] === undefined;
  }

  /** Whether the directive is about the whole message: it stands without a list of fields, or with one that is none. */
  isUnqualified(name: string): boolean {
    return this.#directives.get(name)?.some((value) => !namesFields(value)) === true;
  }

  /** The fields a qualified `no-cache` or `private` names, in lower case. */
  fieldNames(name: string): string[] {
    return (this.#directives.get(name) ?? []).flatMap(fieldsIn);
  }

  /** The seconds of a directive; undefined when it is absent or is not a number of seconds. */
  seconds(name: string): number | undefined {
    return deltaSeconds(this.#directives.get(name)?.[0]);
  }
}

function namesFields(value: string | undefined): boolean {
  const fields = fieldsIn(value);
  return fields.length > 0 && fields.every(isHeaderName);
}

function fieldsIn(value: string | undefined): string[] {
  return listMembers(value ?? '').map((field) => field.toLowerCase());
}

function unquoted(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value;
}
