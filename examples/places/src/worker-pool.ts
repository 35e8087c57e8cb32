// Gives the upstream a finite capacity: a fixed number of requests at a time. The others wait in a queue without a limit.

/** Runs each `work` on one of `workers` workers, which is busy with it for `serviceMs`. */
export function workerPool(workers: number, serviceMs: number): <T>(work: () => T) => Promise<T> {
  let idle = workers;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (idle > 0) idle -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    await new Promise((resolve) => setTimeout(resolve, serviceMs));
    const next = queue.shift();
    if (next === undefined) idle += 1;
    else next();
    return work();
  };
}
