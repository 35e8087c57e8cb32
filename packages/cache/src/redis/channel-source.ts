import { within } from '../within.ts';
import { ANSWER_MS, broken, CONNECT_MS } from './broken.ts';
import type { RedisConnection } from './client.ts';
import type { Feed, Source } from './feed.ts';
import { textsOf } from './message.ts';

const LOOK_EVERY_MS = 1_000;

/** Listens to a channel. What is told while it does not listen is lost, which the numbers show. */
export class ChannelSource implements Source {
  #connection: RedisConnection | undefined;
  #stop: AbortController = new AbortController();

  async follow(feed: Feed): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    const { clock, redis, names } = feed;
    let over = false;
    await within(clock, ANSWER_MS, feed.where());
    if (stop.signal.aborted) return;
    const connection = redis.duplicate();
    this.#connection = connection;
    try {
      await within(clock, CONNECT_MS, connection.connect());
      connection.unref();
      const breaks = broken(connection);
      const hear = (text: string): void => {
        // The last words of a connection that is closed say nothing about the next one.
        if (over || stop.signal.aborted) return;
        const message = textsOf(text, 5);
        if (message === undefined) return;
        const [number, from, namespace, sign, data] = message as [string, string, string, string, string];
        feed.receive(Number(number), from, namespace, sign, data);
      };
      await within(clock, ANSWER_MS, connection.subscribe(names.log, hear));
      feed.begin(await within(clock, ANSWER_MS, feed.where()));
      feed.probe();
      while (!stop.signal.aborted) {
        await Promise.race([clock.sleep(LOOK_EVERY_MS, stop.signal), breaks]);
        // A gap that shows here may be a connection that is dead without knowing it.
        if (!(await within(clock, ANSWER_MS, feed.look()))) throw new Error('Messages were lost');
      }
    } finally {
      over = true;
      connection.close();
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#connection?.close();
  }
}
