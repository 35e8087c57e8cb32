import type { Operation } from '../operation.ts';

const order = { orderId: 17, plan: 'premium', ok: true, region: 'eu-central-1', durationMs: 12.5 };

/** A destination that discards lines: only their creation is measured. */
let written = 0;
const nowhere = { write: (line: string): void => void (written += line.length) };

export const telemetry: Record<string, Operation> = {
  macadam: {
    count: 2_200_000,
    make: async () => {
      const { createLogger } = await import('@macadam/telemetry');
      const log = createLogger({ destination: nowhere });
      return (count) => {
        for (let i = 0; i < count; i++) log.info(order, 'order placed');
        return written;
      };
    },
  },
  'pino, no redaction': {
    count: 1_400_000,
    make: async () => {
      const { pino } = await import('pino');
      const log = pino({}, nowhere);
      return (count) => {
        for (let i = 0; i < count; i++) log.info(order, 'order placed');
        return written;
      };
    },
  },
};
