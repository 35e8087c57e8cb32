// The parent's half of the run: starts processes, waits until they are ready, asks them things, leaves none behind.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Child<Ready> {
  /** What the process said when it was ready. */
  ready: Ready;
  /** Sends a message and waits for the answer. One at a time. */
  ask<Answer>(message: object): Promise<Answer>;
  end(): Promise<void>;
}

const running = new Set<ChildProcess>();
// The last net: whatever ends this process takes the children along.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startChild<Ready>(file: string, args: readonly string[]): Promise<Child<Ready>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.on('error', () => {}); // such as a message to a child that has just gone: `gone` says so to whoever waits
  const ended = gone(child, file);
  ended.catch(() => {}); // only matters while somebody waits for an answer
  const answer = async <Answer>(): Promise<Answer> => {
    const [message] = await Promise.race([once(child, 'message'), ended]);
    return message as Answer;
  };
  return {
    ready: await answer<Ready>(),
    async ask<Answer>(message: object) {
      child.send(message);
      return await answer<Answer>();
    },
    end: () => end(child),
  };
}

/** Ends every child and waits until all are gone. */
export async function endChildren(): Promise<void> {
  await Promise.all([...running].map(end));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  // They hold nothing that has to be saved, and some of their sockets hang by design.
  child.kill('SIGKILL');
  await exit;
}

async function gone(child: ChildProcess, file: string): Promise<never> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  throw new Error(`${file} ended too early (${signal ?? `code ${code}`})`);
}
