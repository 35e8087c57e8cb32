import { tierKey } from '../key.ts';

/**
 * What stands where, for a prefix `mc` and a cache `users`: entries at `mc:users:{key}`, their leases, for as long as somebody
 * loads, at `mc!users:{key}`; the log of changes at `{mc}:log`, its numbers at `{mc}:numbers`, the marks at `{mc}:marks:users`.
 * In a cluster, braces decide which node has a key: an entry and its lease are together, and so are the log and all marks.
 */
export class Names {
  readonly log: string;
  readonly numbers: string;
  readonly marks: string;
  readonly entries: string;
  readonly #leases: string;

  constructor(prefix: string, namespace: string) {
    const cache = escaped(namespace);
    this.log = `{${prefix}}:log`;
    this.numbers = `{${prefix}}:numbers`;
    this.marks = `{${prefix}}:marks:${cache}`;
    this.entries = `${prefix}:${cache}:`;
    this.#leases = `${prefix}!${cache}:`;
  }

  entry(key: string): string {
    return `${this.entries}{${escapedKey(tierKey(key))}}`;
  }

  /** The entry, and the lease beside it. */
  pair(key: string): [entry: string, lease: string] {
    const tagged = `{${escapedKey(tierKey(key))}}`;
    return [this.entries + tagged, this.#leases + tagged];
  }

  /** The same, at the end of a list of names. */
  addPair(key: string, names: string[]): void {
    const tagged = `{${escapedKey(tierKey(key))}}`;
    names.push(this.entries + tagged, this.#leases + tagged);
  }

  /** The key of an entry; undefined for what is none of this cache. */
  keyOf(name: string): string | undefined {
    if (!name.startsWith(`${this.entries}{`) || !name.endsWith('}')) return undefined;
    return name
      .slice(this.entries.length + 1, -1)
      .replace(/%(7b|7d|25|3a)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}

/** Without braces, which would end the tag. */
function escapedKey(key: string): string {
  return /[%{}]/.test(key) ? escaped(key) : key;
}

/** Without braces and colons, so that no two caches or keys make one name; different texts stay different. */
function escaped(text: string): string {
  return /[%:{}]/.test(text) ? text.replace(/[%:{}]/g, (one) => `%${one.charCodeAt(0).toString(16)}`) : text;
}
