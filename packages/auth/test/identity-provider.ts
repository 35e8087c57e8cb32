// A live identity provider on loopback. Tests rotate its keys and take it down.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type GrantContext } from 'oidc-provider';
import { vi } from 'vitest';
import type { TokenClientOptions } from '../src/index.ts';
import { addGrants, ASSERTION, EXCHANGE } from './provider-grants.ts';
import { privateJwk, type TestKey, testKey } from './tokens.ts';

export const AUDIENCE = 'https://orders.example.com';
export const SECRET = 'a secret of the test';
/** The key that the client `robot` authenticates with. */
export const robotKey: TestKey = testKey('robot-1', 'ES256', 5);

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export class IdentityProvider {
  readonly #server: Server;
  readonly requests: string[] = [];
  /** Whether it responds; false resets every connection. */
  present = true;
  /** Lifetime of its tokens, from the next `publish` on. */
  lifetimeSeconds = 600;
  #handler: Handler = () => {};

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      if (this.present) void this.#handler(request, response);
      else response.destroy();
    });
  }

  async start(...keys: TestKey[]): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.publish(...keys);
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Number of requests for a path since the last call. */
  takeRequestCount(path: string): number {
    const count = this.requests.filter((one) => one.endsWith(` ${path}`)).length;
    this.requests.length = 0;
    return count;
  }

  /** Replaces the keys of the provider; the first one signs. */
  publish(...keys: TestKey[]): void {
    // It warns about its in-memory state and default lifetimes, which are what a test needs.
    for (const level of ['warn', 'info'] as const) vi.spyOn(console, level).mockImplementation(() => {});
    const grants = ['client_credentials', EXCHANGE, ASSERTION];
    const shared = { grant_types: grants, redirect_uris: [], response_types: [] };
    const provider = new Provider(this.origin, {
      clients: [
        { ...shared, client_id: 'shop', client_secret: SECRET, id_token_signed_response_alg: 'ES256' },
        {
          ...shared,
          client_id: 'form',
          client_secret: SECRET,
          token_endpoint_auth_method: 'client_secret_post',
          id_token_signed_response_alg: 'ES256',
        },
        {
          ...shared,
          client_id: 'robot',
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'ES256',
          id_token_signed_response_alg: 'ES256',
          jwks: { keys: [robotKey.jwk] },
        },
        {
          ...shared,
          client_id: 'bound',
          client_secret: SECRET,
          dpop_bound_access_tokens: true,
          id_token_signed_response_alg: 'ES256',
        },
      ],
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      jwks: { keys: keys.map((key) => ({ ...privateJwk(key), use: 'sig', alg: 'ES256' })) as never },
      ttl: { ClientCredentials: this.lifetimeSeconds, AccessToken: this.lifetimeSeconds },
      scopes: ['orders:read'],
      extraTokenClaims: ({ act }: GrantContext) => act && { act },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: 'orders:read',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    });
    addGrants(provider, this.origin, keys, robotKey);
    this.#handler = provider.callback() as never as Handler;
  }

  /** Options of a token client of `shop`. */
  client(more: Partial<TokenClientOptions> = {}): TokenClientOptions {
    return {
      tokenUrl: `${this.origin}/token`,
      clientId: 'shop',
      clientSecret: SECRET,
      scope: 'orders:read',
      resource: AUDIENCE,
      fetch: globalThis.fetch,
      // It shares the process with hundreds of concurrent clients.
      timeoutMs: 30_000,
      ...more,
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
