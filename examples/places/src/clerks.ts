// What makes an upstream finite: so many requests at a time, each for so long. The others wait their turn, however long.

/** Runs `work` after a wait for one of `count` clerks, who is then busy for `serviceMs`. */
export function clerks(count: number, serviceMs: number): <T>(work: () => T) => Promise<T> {
  let free = count;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    await new Promise((resolve) => setTimeout(resolve, serviceMs));
    const next = queue.shift();
    if (next === undefined) free += 1;
    else next();
    return work();
  };
}
