import type { Clock } from '@macadam/core';
import { SignatureError } from './errors.ts';
import { settleCallback } from './with-timeout.ts';

/**
 * Returns whether this id was seen before, and remembers it in the same step for `keepMs`, which is `Infinity` when the
 * message never expires. Called for each message, or signature of it, that is valid otherwise. Anything but `false`
 * rejects the message (`replayed`); so does an error, or no answer within 5 seconds (`replayUnknown`).
 */
export type SeenBefore = (id: string, keepMs: number) => boolean | Promise<boolean>;

/**
 * Asks `seen` about a message that is valid otherwise.
 *
 * @param header - for the error: the part of the message that may be used only once
 * @throws SignatureError `replayed` or `replayUnknown`
 */
export async function rejectReplay(
  seen: SeenBefore,
  id: string,
  keepMs: number,
  header: string,
  clock: Clock,
): Promise<void> {
  let replayed: boolean;
  try {
    replayed = await settleCallback(seen(id, keepMs), clock);
  } catch (cause) {
    throw new SignatureError('replayUnknown', { header, cause });
  }
  if (replayed !== false) throw new SignatureError('replayed', { header });
}
