// The child's side of the processes of a run: reports that it is ready, answers messages of the parent, and never outlives it.
// A process that was started by hand runs until Ctrl-C or SIGTERM instead.

/** Call this first. A child ignores Ctrl-C, because its parent stops it, and exits when the parent is gone. */
export function exitWithParent(): void {
  if (process.send === undefined) return;
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  // The parent may have exited while this process was loading.
  if (!process.connected) process.exit();
}

/** Without a parent: closes on SIGINT or SIGTERM. The process exits when nothing is left to do. */
export function closeOnSignal(close: () => Promise<unknown>): void {
  if (process.send !== undefined) return;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close());
}

/** The message of a process that accepts requests. */
export interface Ready {
  url: string;
}

export function announceReady<R extends Ready>(message: R): void {
  if (process.send === undefined) console.log(`listening on ${message.url}`);
  else process.send(message);
}

/** Answers each message of the parent with the result of `handle`. */
export function onParentMessage<Message>(handle: (message: Message) => Promise<object>): void {
  process.on('message', (message) => {
    void handle(message as Message).then((response) => process.send?.(response));
  });
}
