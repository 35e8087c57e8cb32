import { isHeaderName } from '../headers.ts';
import { deltaSeconds, listMembers } from './fields.ts';

/**
 * A parsed `Cache-Control` field. Directive names are lower-case. When a directive with seconds is repeated, the first one
 * counts (RFC 9111, section 4.2.1). When a directive that lists fields is repeated, all of them count, as the strictest
 * reading.
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

  /** Whether the directive has no argument. */
  hasNoArgument(name: string): boolean {
    const values = this.#directives.get(name);
    return values !== undefined && values[0] === undefined;
  }

  /** Whether the directive is in its unqualified form: without field names, or with an argument that is no field names. */
  isUnqualified(name: string): boolean {
    return this.#directives.get(name)?.some((value) => !isFieldNames(value)) === true;
  }

  /** The fields that a qualified `no-cache` or `private` names, in lower case. */
  fieldNames(name: string): string[] {
    return (this.#directives.get(name) ?? []).flatMap(parseFieldNames);
  }

  /** The seconds of a directive; undefined when it is absent or its argument is not a number of seconds. */
  seconds(name: string): number | undefined {
    return deltaSeconds(this.#directives.get(name)?.[0]);
  }
}

function isFieldNames(value: string | undefined): boolean {
  const names = parseFieldNames(value);
  return names.length > 0 && names.every(isHeaderName);
}

function parseFieldNames(value: string | undefined): string[] {
  return listMembers(value ?? '').map((name) => name.toLowerCase());
}

function unquoted(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value;
}
