// Logs `count` lines, then ends in the way that its first argument names. Started by exit.test.ts.
import { createLogger } from '../../src/index.ts';

const [how = 'exit', count = '1000', destination = '1'] = process.argv.slice(2);
const log = createLogger({ destination: /^\d+$/.test(destination) ? Number(destination) : destination });
const lines = Number(count);
// A service registers its handler when it starts. Node removes such a one before it calls it.
if (how === 'handledOnce') {
  process.once('SIGTERM', () => {
    setTimeout(() => {
      log.warn('stopping');
      process.exit(0);
    }, 50);
  });
}
for (let i = 0; i < lines; i++) log.info({ i, padding: 'x'.repeat(200) }, 'line');

const endings: Record<string, () => void> = {
  exit: () => process.exit(1),
  throw: () => {
    process.on('uncaughtExceptionMonitor', (error) => log.fatal(error, 'last'));
    throw new Error('thrown');
  },
  reject: () => {
    process.on('uncaughtExceptionMonitor', (error) => log.fatal(error, 'last'));
    void Promise.reject(new Error('rejected'));
  },
  // Writes `ready`, upon which the parent sends SIGTERM. The process has no handler for it.
  sigterm: () => {
    process.stderr.write('ready\n');
    setInterval(() => {}, 1_000);
  },
  // The signal has arrived, but is not yet delivered, when the last line is written.
  signalWhileDraining: () => {
    process.kill(process.pid, 'SIGTERM');
    while (log.stats().backlogBytes > 0) log.fatal('last');
    setInterval(() => {}, 1_000);
  },
  handled: () => {
    process.on('SIGTERM', () => {
      log.warn('stopping');
      process.exit(0);
    });
    process.stderr.write('ready\n');
    setInterval(() => {}, 1_000);
  },
  handledOnce: () => {
    process.stderr.write('ready\n');
    setInterval(() => {}, 1_000);
  },
  abort: () => process.abort(),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  // T2: a log call in an exit handler.
  inExit: () => {
    process.on('exit', () => log.info('last'));
  },
  // More than a pipe holds, after the exit handler of the logger has run, or without one.
  manyInExit: () => {
    process.on('exit', () => {
      for (let i = 0; i < 500; i++) log.info({ i: lines + i, padding: 'x'.repeat(200) }, 'late');
    });
  },
  manyInUnknownExit: () => {
    Object.defineProperty(process, '_exiting', { get: () => undefined, set: () => {} });
    // The logger listens to `exit` only while lines are waiting, however fast the reader is.
    while (log.stats().backlogBytes === 0) log.info({ padding: 'x'.repeat(200) }, 'more');
    endings['manyInExit']?.();
  },
  natural: () => {},
  flush: () => void log.flush().then(() => process.stderr.write(JSON.stringify(log.stats()))),
  // Nobody reads: what an exit handler logs is lost, but counted.
  statsInExit: () => {
    process.on('exit', () => {
      for (let i = 0; i < 10; i++) log.info('late');
      process.stderr.write(JSON.stringify(log.stats()));
    });
    process.exit(0);
  },
  longestCall: () => {
    let longestMs = 0;
    for (let i = 0; i < 2_000; i++) {
      const before = performance.now();
      log.info({ i, padding: 'x'.repeat(200) }, 'line');
      longestMs = Math.max(longestMs, performance.now() - before);
    }
    process.stderr.write(JSON.stringify({ longestMs, ...log.stats() }));
  },
  stats: () => {
    process.stderr.write(JSON.stringify({ ...log.stats(), rssMb: process.memoryUsage().rss / 1_048_576 }));
    process.exit(0);
  },
};
endings[how]?.();
