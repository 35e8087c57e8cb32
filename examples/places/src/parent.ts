// The child's half of the run: tell the parent when ready, take its messages, never outlive it.
// Started by hand instead, a process runs until Ctrl-C or SIGTERM.

/** Call first. A child ignores Ctrl-C, since its parent ends it; it ends by itself when the parent is gone. */
export function endWithParent(): void {
  if (process.send === undefined) return;
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  // The parent may have gone while this process was still loading.
  if (!process.connected) process.exit();
}

/** Started by hand, or by what runs services: answers whom it has let in, sends what is to be sent, and ends. */
export function endOnSignal(close: () => Promise<unknown>): void {
  if (process.send !== undefined) return;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close());
}

/** What a process says once it takes requests. */
export interface Ready {
  url: string;
}

export function announceReady<R extends Ready>(message: R): void {
  if (process.send === undefined) console.log(`listening on ${message.url}`);
  else process.send(message);
}

/** Answers each message of the parent with what `reply` returns. */
export function answerParent<Message>(reply: (message: Message) => Promise<object>): void {
  process.on('message', (message) => {
    void reply(message as Message).then((answer) => process.send?.(answer));
  });
}
