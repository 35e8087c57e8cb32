import { createLogger, type Logger, type LoggerOptions } from '../src/index.ts';

/** A logger that keeps its lines in memory. */
export interface Captured {
  readonly log: Logger;
  /** The lines, each without its line feed. */
  readonly lines: string[];
  /** The last line, parsed. */
  last(): Record<string, unknown>;
}

export function capture(options: LoggerOptions = {}): Captured {
  const lines: string[] = [];
  const destination = {
    write: (line: string) => {
      if (!line.endsWith('\n')) throw new Error('a line must end with a line feed');
      lines.push(line.slice(0, -1));
    },
  };
  const log = createLogger({ level: 'trace', destination, ...options });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown> };
}
