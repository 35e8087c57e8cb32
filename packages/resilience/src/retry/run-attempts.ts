import pRetry from 'p-retry';

class TryAgain extends Error {}

/**
 * Runs `attempt` until it answers `false`, at most `limit` times. The only place that uses p-retry: it drives the
 * tries after the first has failed. Its delay is zero, since how long to wait, and how to be woken, is ours to say.
 */
export async function runAttempts(attempt: () => Promise<boolean>, limit: number): Promise<void> {
  const again = new TryAgain();
  const once = async (): Promise<void> => {
    if (await attempt()) throw again;
  };
  try {
    await pRetry(once, { retries: limit - 1, minTimeout: 0, maxTimeout: 0, randomize: false });
  } catch (error) {
    if (error !== again) throw error;
  }
}
