import pRetry from 'p-retry';

class RetrySignal extends Error {}

/**
 * Runs `attempt` until it returns `false`, at most `limit` times. The only place that uses p-retry: it drives the attempts
 * after the first failure. Its own delay is zero, since `attempt` waits itself, in a way that can be cancelled.
 */
export async function runAttempts(attempt: () => Promise<boolean>, limit: number): Promise<void> {
  const again = new RetrySignal();
  const once = async (): Promise<void> => {
    if (await attempt()) throw again;
  };
  try {
    await pRetry(once, { retries: limit - 1, minTimeout: 0, maxTimeout: 0, randomize: false });
  } catch (error) {
    if (error !== again) throw error;
  }
}
