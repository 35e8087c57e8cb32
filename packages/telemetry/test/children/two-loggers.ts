// Two loggers of one process write to its standard output for a while, as modules do that each have one.
import { createLogger } from '../../src/index.ts';

const loggers = ['a', 'b'].map((name) => createLogger({ name }));
let i = 0;
const timer = setInterval(() => {
  for (let round = 0; round < 20 && i < 300; round++, i++) {
    for (const log of loggers) log.info({ i, padding: 'x'.repeat(1_000 + ((i * 977) % 6_000)) });
  }
  // However slow the reader is, it gets all of it.
  if (i >= 300 && loggers.every((log) => log.stats().backlogBytes === 0)) clearInterval(timer);
}, 2);
