// Shows the progress of a run.
import type { Progress } from './load.ts';
import { successRatio } from './statistics.ts';
import { variants } from './variants.ts';

export interface ProgressLine {
  update(progress: Progress): void;
  end(): void;
}

/** On a terminal, one line that is updated; otherwise one line at the end of each phase. */
export function createProgressLine(stream: NodeJS.WriteStream = process.stdout): ProgressLine {
  const refreshMs = 100;
  let last: Progress | undefined;
  let shownMs = 0;
  const endPhase = (): void => {
    if (last !== undefined && !stream.isTTY) stream.write(`${line(last)}\n`);
  };
  return {
    update(progress) {
      const changed = progress.phase !== last?.phase;
      if (changed) endPhase();
      last = progress;
      if (!stream.isTTY || (!changed && progress.elapsedMs - shownMs < refreshMs)) return;
      shownMs = progress.elapsedMs;
      stream.write(`\r\x1b[2K${line(progress).slice(0, (stream.columns || 80) - 1)}`);
    },
    end() {
      endPhase();
      if (last !== undefined && stream.isTTY) stream.write('\r\x1b[2K');
      last = undefined;
    },
  };
}

function line({ variant, phase, elapsedMs, calls, waiting }: Progress): string {
  const recent = calls.filter((call) => call.phase === phase);
  const success = recent.length === 0 ? '' : `, ${(successRatio(recent) * 100).toFixed(1)} % succeeded`;
  const seconds = (elapsedMs / 1_000).toFixed(1).padStart(4);
  return `${variants[variant].title.padEnd(11)} ${seconds} s  ${phase}: ${recent.length} calls done${success}, ${waiting} waiting`;
}
