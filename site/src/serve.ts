// A server for the site, for this machine alone.
import { createReadStream, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize } from 'node:path';

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.md': 'text/markdown; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

export interface Serving {
  /** Ends with a slash. */
  url: string;
  close: () => Promise<void>;
}

/** Serves what is in `folder` on a port of 127.0.0.1: `port`, or any that is free. */
export async function serve(folder: string, port = 0): Promise<Serving> {
  const server = createServer((request, response) => {
    const path = fileFor(folder, request.url ?? '/');
    if (path === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response
        .writeHead(path === undefined ? 404 : 405, { 'content-type': 'text/plain' })
        .end('There is nothing here.\n');
      return;
    }
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path).pipe(response);
  });
  await new Promise<void>((done, failed) => server.once('error', failed).listen(port, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${portOf(server)}/`, close: () => closed(server) };
}

/** The file that a URL names, or the index of the folder; nothing outside of `folder`. */
function fileFor(folder: string, url: string): string | undefined {
  try {
    const { pathname } = new URL(url, 'http://localhost');
    const path = join(folder, normalize(decodeURIComponent(pathname)));
    if (!path.startsWith(folder) || path.includes('\0')) return undefined;
    const file = statSync(path).isDirectory() ? join(path, 'index.html') : path;
    return statSync(file).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
