// A token endpoint without a network, whose responses a test can replace at any time.
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { clientCredentials, type FetchLike, type TokenClient, type TokenClientOptions } from '../src/index.ts';

export const TOKEN_URL = 'https://id.example.com/token';
export const SECRET = 'the-secret-of-the-client';

export interface TokenRequest {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly form: URLSearchParams;
}

export class TokenEndpoint {
  readonly requests: TokenRequest[] = [];
  /** Members that override those of the default response. */
  grant: Record<string, unknown> = {};
  /** Replaces the default response. */
  respond: ((request: TokenRequest) => Response | Promise<Response>) | undefined;

  get calls(): number {
    return this.requests.length;
  }

  readonly fetch: FetchLike = async (url, { headers, body, signal }) => {
    const request = { url, headers: { ...headers }, form: new URLSearchParams(body) };
    this.requests.push(request);
    await Promise.resolve();
    signal.throwIfAborted();
    return await (this.respond?.(request) ?? this.plain());
  };

  plain(more: Record<string, unknown> = {}): Response {
    return Response.json({
      access_token: `token-${this.calls}`,
      token_type: 'Bearer',
      expires_in: 3_600,
      ...this.grant,
      ...more,
    });
  }

  fail(status = 503, headers: Record<string, string> = {}): void {
    this.respond = () => new Response('down', { status, headers });
  }

  refuse(error: string, status = 400): void {
    this.respond = () => Response.json({ error, error_description: `${SECRET} is not known` }, { status });
  }

  /** Delays responses until the returned function is called. */
  hold(): () => void {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    this.respond = async () => {
      await released;
      return this.plain();
    };
    return release;
  }
}

export interface TokenStage {
  readonly clock: VirtualClock;
  readonly endpoint: TokenEndpoint;
  readonly tokens: TokenClient;
}

export const client: Pick<TokenClientOptions, 'tokenUrl' | 'clientId' | 'clientSecret'> = {
  tokenUrl: TOKEN_URL,
  clientId: 'orders',
  clientSecret: SECRET,
};

export function stageTokens(
  options: Partial<TokenClientOptions> = {},
  make: (options: TokenClientOptions) => TokenClient = clientCredentials,
): TokenStage {
  const clock = virtualClock({ settle: 'eventLoop' });
  const endpoint = new TokenEndpoint();
  const tokens = make({ ...client, fetch: endpoint.fetch, clock, random: seededRandom(1), ...options });
  return { clock, endpoint, tokens };
}
