import { tierKey } from '../key.ts';

/**
 * The names of all Redis keys. For the prefix `mc` and the cache `users`: entries at `mc:users:{key}`; separate leases
 * at `mc!users:{key}` while a load is in flight; the log of changes (or its channel) at `{mc}:log`, its sequence number
 * at `{mc}:numbers`, the tag marks at `{mc}:marks:users`. In a cluster, the part in braces decides the node: an entry
 * and its lease are on the same one, and so are the log and all marks.
 */
export class KeyNames {
  readonly log: string;
  readonly sequence: string;
  readonly marks: string;
  readonly entryPrefix: string;
  readonly #leasePrefix: string;

  constructor(prefix: string, namespace: string) {
    const cache = escaped(namespace);
    this.log = `{${prefix}}:log`;
    this.sequence = `{${prefix}}:numbers`;
    this.marks = `{${prefix}}:marks:${cache}`;
    this.entryPrefix = `${prefix}:${cache}:`;
    this.#leasePrefix = `${prefix}!${cache}:`;
  }

  entry(key: string): string {
    return `${this.entryPrefix}{${escapedKey(tierKey(key))}}`;
  }

  /** The keys of the entry and of its separate lease. */
  entryAndLease(key: string): [entry: string, lease: string] {
    const tagged = `{${escapedKey(tierKey(key))}}`;
    return [this.entryPrefix + tagged, this.#leasePrefix + tagged];
  }

  /** Appends the same two keys to `names`. */
  appendEntryAndLease(key: string, names: string[]): void {
    const tagged = `{${escapedKey(tierKey(key))}}`;
    names.push(this.entryPrefix + tagged, this.#leasePrefix + tagged);
  }

  /** The cache key of an entry, by its Redis key; undefined for a Redis key that is no entry of this cache. */
  parseEntryKey(name: string): string | undefined {
    if (!name.startsWith(`${this.entryPrefix}{`) || !name.endsWith('}')) return undefined;
    return name
      .slice(this.entryPrefix.length + 1, -1)
      .replace(/%(7b|7d|25|3a)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}

/** Escapes braces, which would end the hash tag. */
function escapedKey(key: string): string {
  return /[%{}]/.test(key) ? escaped(key) : key;
}

/** Escapes braces and colons, so that no two pairs of cache and key produce the same name. */
function escaped(text: string): string {
  return /[%:{}]/.test(text) ? text.replace(/[%:{}]/g, (one) => `%${one.charCodeAt(0).toString(16)}`) : text;
}
