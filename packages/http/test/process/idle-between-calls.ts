/** A client that is used until its code is compiled, and then idle while the heap is collected. */
import { useAndIdle } from '@macadam/test-support/discarded-code';
import { createHttpClient, type HttpDispatcher } from '../../src/index.ts';

const body = Buffer.from('{"id":1}');
const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
const controller = { abort() {}, pause() {}, resume() {}, rawHeaders: [] } as never;
const resolved = Promise.resolve();
const dispatcher: HttpDispatcher = {
  dispatch(_, handler) {
    // Not `queueMicrotask`, which allocates objects of its own.
    void resolved.then(() => {
      handler.onRequestStart?.(controller, {});
      handler.onResponseStart?.(controller, 200, headers, 'OK');
      handler.onResponseData?.(controller, body);
      handler.onResponseEnd?.(controller, {});
    });
    return true;
  },
};
const client = createHttpClient({ baseUrl: 'http://127.0.0.1:1', dispatcher });

async function use(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { data } = await client.get('/items/{id}', { params: { id: 1 } });
    if ((data as { id: number }).id !== 1) throw new Error('not the response that was sent');
  }
}

await useAndIdle(() => use(10_000));
