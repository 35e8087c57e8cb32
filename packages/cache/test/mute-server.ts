import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy to a server. While `mute` is set, it accepts connections and never forwards anything on those. */
export interface MuteServer {
  readonly url: string;
  mute: boolean;
  /** Connections that the client has not closed, in the order in which they were opened. */
  readonly open: ReadonlySet<Socket>;
  accepted(): number;
  close(): Promise<void>;
}

export async function startMuteServer(target: string): Promise<MuteServer> {
  const { port } = new URL(target);
  const open = new Set<Socket>();
  let accepted = 0;
  const listener = createServer((near) => {
    accepted++;
    const isMute = server.mute;
    open.add(near);
    const far = connect(Number(port), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (bytes) => {
        if (!isMute) to.write(bytes);
      });
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const server: MuteServer = {
    url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    mute: false,
    open,
    accepted: () => accepted,
    close: async () => {
      for (const socket of open) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
  return server;
}
