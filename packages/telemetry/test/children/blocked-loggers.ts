// Several loggers are blocked when the process exits; writes for how long it paused. Started by exit.test.ts.
import { createLogger } from '../../src/index.ts';

let pausedMs = 0;
const wait = Atomics.wait.bind(Atomics);
Atomics.wait = ((array: Int32Array, index: number, value: number, timeoutMs: number) => {
  pausedMs += timeoutMs;
  return wait(array, index, value, timeoutMs);
}) as typeof Atomics.wait;

const loggers = Array.from({ length: 5 }, (_, i) => createLogger({ name: `module-${i}` }));
for (let i = 0; i < 600; i++) for (const log of loggers) log.info({ i, padding: 'x'.repeat(200) }, 'line');
const blocked = loggers.filter((log) => log.stats().backlogBytes > 0).length;
process.on('exit', () => process.stderr.write(JSON.stringify({ blocked, pausedMs })));
process.exit(0);
