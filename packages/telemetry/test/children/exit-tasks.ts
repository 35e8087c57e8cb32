// A task that is finished at exit logs a line that blocks; writes for how long the process paused. Started by exit.test.ts.
import { type ExitTask, registerExitTask, unregisterExitTask } from '../../src/exit-guard.ts';

let pausedMs = 0;
Atomics.wait = ((_array: Int32Array, _index: number, _value: number, timeoutMs: number) => {
  pausedMs += timeoutMs;
  return 'timed-out';
}) as typeof Atomics.wait;

const never: ExitTask = { resume() {}, abandon: () => unregisterExitTask(never) };
const first: ExitTask = {
  resume() {
    if (pausedMs < 500) return;
    unregisterExitTask(first);
    registerExitTask(never);
  },
  abandon: () => unregisterExitTask(first),
};
registerExitTask(first);
process.on('exit', () => process.stderr.write(JSON.stringify({ pausedMs })));
process.exit(0);
