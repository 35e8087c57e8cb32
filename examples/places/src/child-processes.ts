// The parent's side of the processes of a run: starts them, waits until they are ready, sends them requests, and leaves none
// behind. The children's side is `parent-process.ts`.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Child<Ready> {
  /** The message with which the process reported that it is ready. */
  ready: Ready;
  /** Sends a message and waits for the response. One at a time. */
  request<Response>(message: object): Promise<Response>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
// Whatever ends this process, its children end with it.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startChild<Ready>(file: string, args: readonly string[]): Promise<Child<Ready>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.on('error', () => {}); // such as a message to a child that has just ended, which `rejectOnExit` reports
  const exited = rejectOnExit(child, file);
  exited.catch(() => {}); // matters only while a response is awaited
  const nextMessage = async <Message>(): Promise<Message> => {
    const [message] = await Promise.race([once(child, 'message'), exited]);
    return message as Message;
  };
  return {
    ready: await nextMessage<Ready>(),
    async request<Response>(message: object) {
      child.send(message);
      return await nextMessage<Response>();
    },
    stop: () => stop(child),
  };
}

/** Stops all children and waits until they have exited. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...running].map(stop));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  // The children have no state to save, and some of their sockets hang by design.
  child.kill('SIGKILL');
  await exit;
}

async function rejectOnExit(child: ChildProcess, file: string): Promise<never> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  throw new Error(`${file} exited too early (${signal ?? `code ${code}`})`);
}
