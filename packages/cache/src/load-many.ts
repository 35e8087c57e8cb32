import { Batch, presentValues } from './batch.ts';
import type { LoaderOfMany } from './cache.ts';
import type { FlightContext } from './flight-context.ts';
import { storageKey } from './key.ts';
import type { LoadSlots } from './load-slots.ts';
import type { LoadOptions } from './options.ts';
import type { Reads } from './reads.ts';

/**
 * Implements `cache.getOrLoadMany`: one read per key, whose loads share one call of the bulk loader.
 *
 * @param keys each key once
 * @param slots limits the concurrent loads
 * @param position the `L1Store.position` when the call arrived
 */
export async function loadMany<T>(
  reads: Reads<T>,
  slots: LoadSlots,
  keys: readonly string[],
  loader: LoaderOfMany<T>,
  options: LoadOptions,
  position: number,
): Promise<Map<string, T>> {
  const batch = new Batch(loader, slots);
  const loadAlone = (context: FlightContext<T>): unknown => {
    const single = new Batch(loader, undefined);
    const value = single.load(context);
    single.leave();
    return value;
  };
  const { load } = batch;
  // An async function: a key that throws synchronously must not leave the reads before it without a handler.
  const pending = keys.map(async (key) => {
    const id = storageKey(key);
    return reads.read({ id, key, load, loadAlone, options, takesSlot: false, batch, position });
  });
  batch.leave();
  return presentValues(keys, await Promise.all(pending));
}
