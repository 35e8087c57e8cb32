import type { Clock } from '@macadam/core';
import { SignatureError } from './errors.ts';
import { answerOf } from './fetch/within.ts';

/**
 * Returns whether this id was seen before, and remembers it in the same step for `keepMs`, which is `Infinity` when the
 * message never expires. Called for each message that is valid otherwise. Anything but `false` rejects the message
 * (`replayed`); so does an error, or no answer within 5 seconds (`replayUnknown`).
 */
export type SeenBefore = (id: string, keepMs: number) => boolean | Promise<boolean>;

/** @throws SignatureError `replayed` or `replayUnknown`, naming the part of the message that should be used once. */
export async function refuseReplay(
  seen: SeenBefore,
  id: string,
  keepMs: number,
  header: string,
  clock: Clock,
): Promise<void> {
  let replayed: boolean;
  try {
    replayed = await answerOf(seen(id, keepMs), clock);
  } catch (cause) {
    throw new SignatureError('replayUnknown', { header, cause });
  }
  if (replayed !== false) throw new SignatureError('replayed', { header });
}
