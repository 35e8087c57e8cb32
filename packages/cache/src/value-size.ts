/** Looked at in one value at most; what is beyond is taken to be like the rest. */
const MOST_NODES = 2_000;
/** Looked at in one list; the rest of it is taken to be like these. */
const SAMPLE = 100;
const OBJECT_BYTES = 40;
const SLOT_BYTES = 8;

/**
 * About how many bytes of memory a value takes, a whole number. An estimate in bounded time: long lists are sampled, strings count two
 * bytes a character, and what is referred to twice counts once.
 */
export function approximateBytes(value: unknown): number {
  return Math.ceil(new Estimate().of(value));
}

/** Items from all over the list: what is at its end need not be like what is at its beginning. */
function sampleOf(list: readonly unknown[]): readonly unknown[] {
  if (list.length <= SAMPLE) return list;
  return Array.from({ length: SAMPLE }, (_, i) => list[Math.floor((i * list.length) / SAMPLE)]);
}

class Estimate {
  readonly #seen = new Set<object>();

  of(value: unknown): number {
    if (typeof value === 'string') return 16 + value.length * 2;
    if (typeof value === 'bigint') return 24;
    if (typeof value !== 'object' || value === null) return SLOT_BYTES;
    if (this.#seen.has(value)) return SLOT_BYTES;
    try {
      return this.#object(value);
    } catch {
      // Of what cannot be looked at, such as a proxy, nothing more is known.
      return OBJECT_BYTES;
    }
  }

  #object(value: object): number {
    // However many nodes came before: it takes one look, and is what memory is full of.
    if (ArrayBuffer.isView(value)) return OBJECT_BYTES + this.#view(value);
    if (value instanceof ArrayBuffer) return OBJECT_BYTES + this.#whole(value);
    if (this.#seen.size >= MOST_NODES) return OBJECT_BYTES;
    this.#seen.add(value);
    if (Array.isArray(value)) return OBJECT_BYTES + this.#list(sampleOf(value), value.length);
    if (value instanceof Map) return OBJECT_BYTES + this.#list(value, value.size);
    if (value instanceof Set) return OBJECT_BYTES + this.#list(value, value.size);
    return OBJECT_BYTES + this.#fields(value);
  }

  /** It keeps all of what it is a part of, with whatever else is there. Of the runtime's pool for small ones many have a part. */
  #view({ buffer, byteLength }: ArrayBufferView): number {
    return buffer.byteLength > Buffer.poolSize ? this.#whole(buffer) : byteLength;
  }

  #whole(buffer: ArrayBufferLike): number {
    if (this.#seen.has(buffer)) return 0;
    this.#seen.add(buffer);
    return buffer.byteLength;
  }

  #list(items: Iterable<unknown>, length: number): number {
    let bytes = 0;
    let looked = 0;
    for (const item of items) {
      if (looked === SAMPLE) break;
      looked++;
      bytes += SLOT_BYTES + this.of(item);
    }
    return looked === 0 ? 0 : (bytes / looked) * length;
  }

  #fields(value: object): number {
    const names = Object.keys(value);
    let bytes = 0;
    let looked = 0;
    for (const name of names) {
      if (looked === SAMPLE) break;
      looked++;
      bytes += SLOT_BYTES + name.length + this.#field(value, name);
    }
    return looked === 0 ? 0 : (bytes / looked) * names.length;
  }

  #field(value: object, name: string): number {
    try {
      return this.of((value as Record<string, unknown>)[name]);
    } catch {
      // A field that throws when it is read says nothing about the others, and must not end whoever keeps the value.
      return SLOT_BYTES;
    }
  }
}
