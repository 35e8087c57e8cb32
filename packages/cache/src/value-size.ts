/** How many objects of one value are visited; the rest is not counted in detail. */
const MAX_NODES = 2_000;
/** How many items of one collection are visited; the rest is assumed to be like them. */
const MAX_SAMPLED = 100;
const OBJECT_BYTES = 40;
const SLOT_BYTES = 8;

/**
 * Estimates how many bytes of memory a value takes, as a whole number, in bounded time. Long lists are sampled, strings
 * count two bytes per character, and an object that is referenced twice counts once.
 */
export function approximateBytes(value: unknown): number {
  return Math.ceil(new SizeEstimator().of(value));
}

/** Items spread over the whole list: its end may differ from its beginning. */
function sampleOf(list: readonly unknown[]): readonly unknown[] {
  if (list.length <= MAX_SAMPLED) return list;
  return Array.from({ length: MAX_SAMPLED }, (_, i) => list[Math.floor((i * list.length) / MAX_SAMPLED)]);
}

class SizeEstimator {
  readonly #seen = new Set<object>();

  of(value: unknown): number {
    if (typeof value === 'string') return 16 + value.length * 2;
    if (typeof value === 'bigint') return 24;
    if (typeof value !== 'object' || value === null) return SLOT_BYTES;
    if (this.#seen.has(value)) return SLOT_BYTES;
    try {
      return this.#object(value);
    } catch {
      // An object that cannot be inspected, such as a revoked proxy.
      return OBJECT_BYTES;
    }
  }

  #object(value: object): number {
    // Counted even beyond the limit of objects: it takes constant time, and buffers are what fills memory.
    if (ArrayBuffer.isView(value)) return OBJECT_BYTES + this.#view(value);
    if (value instanceof ArrayBuffer) return OBJECT_BYTES + this.#buffer(value);
    if (this.#seen.size >= MAX_NODES) return OBJECT_BYTES;
    this.#seen.add(value);
    if (Array.isArray(value)) return OBJECT_BYTES + this.#list(sampleOf(value), value.length);
    if (value instanceof Map) return OBJECT_BYTES + this.#list(value, value.size);
    if (value instanceof Set) return OBJECT_BYTES + this.#list(value, value.size);
    return OBJECT_BYTES + this.#fields(value);
  }

  /**
   * A view retains its whole buffer. Small buffers are slices of a pool that they share, so they count only their own
   * bytes.
   */
  #view({ buffer, byteLength }: ArrayBufferView): number {
    return buffer.byteLength > Buffer.poolSize ? this.#buffer(buffer) : byteLength;
  }

  #buffer(buffer: ArrayBufferLike): number {
    if (this.#seen.has(buffer)) return 0;
    this.#seen.add(buffer);
    return buffer.byteLength;
  }

  #list(items: Iterable<unknown>, length: number): number {
    let bytes = 0;
    let visited = 0;
    for (const item of items) {
      if (visited === MAX_SAMPLED) break;
      visited++;
      bytes += SLOT_BYTES + this.of(item);
    }
    return visited === 0 ? 0 : (bytes / visited) * length;
  }

  #fields(value: object): number {
    const names = Object.keys(value);
    let bytes = 0;
    let visited = 0;
    for (const name of names) {
      if (visited === MAX_SAMPLED) break;
      visited++;
      bytes += SLOT_BYTES + name.length + this.#field(value, name);
    }
    return visited === 0 ? 0 : (bytes / visited) * names.length;
  }

  #field(value: object, name: string): number {
    try {
      return this.of((value as Record<string, unknown>)[name]);
    } catch {
      // A getter that throws must not make storing the value fail.
      return SLOT_BYTES;
    }
  }
}
