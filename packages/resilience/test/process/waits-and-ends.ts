// A process with nothing to do but a call that is tried again: ends by itself, soon after the call.
import { constant, standardPipeline } from '@macadam/resilience';

const guarded = standardPipeline({ timeoutMs: 60_000, retry: { backoff: constant({ delayMs: 200 }) } });
let tries = 0;
const answer = await guarded.execute(() => {
  tries++;
  if (tries < 3) throw new Error('not yet');
  return 'answered';
});
console.log(`${answer} by try ${tries}`);
