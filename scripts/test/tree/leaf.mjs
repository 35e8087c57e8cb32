// The hard cases: a process that does not hear signals, a child in its group, and a child that left the group.
import { spawn } from 'node:child_process';

const [, self = '', name, depth = '0'] = process.argv;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
if (depth === '0') {
  for (const detached of [false, true]) {
    const label = `${name}-${detached ? 'escaped' : 'child'}`;
    spawn(process.execPath, [self, label, '1'], { stdio: 'inherit', detached });
  }
}
console.log(`${name} ${process.pid}`);
setInterval(() => {}, 1_000);
