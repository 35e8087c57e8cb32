import { OptionsError, withheld } from '@macadam/core';
import type { AuthHeaders, AuthorizableRequest, AuthorizeContext, HttpAuth } from './auth.ts';
import type { PreparedRequest } from './request.ts';

/** The request as an `authorize` hook sees it. URL and headers are computed on access: most hooks only return a token. */
class RequestView implements AuthorizableRequest {
  readonly method: string;
  readonly body: string | Uint8Array | undefined;
  readonly #origin: string;
  readonly #path: string;
  readonly #headers: readonly string[];

  constructor({ method, path, body }: PreparedRequest, origin: string, headers: readonly string[]) {
    this.method = method;
    this.body = body;
    this.#origin = origin;
    this.#path = path;
    this.#headers = headers;
  }

  get url(): string {
    return this.#origin + this.#path;
  }

  get headers(): Readonly<Record<string, string>> {
    const byName: Record<string, string> = Object.create(null) as Record<string, string>;
    for (let i = 0; i < this.#headers.length; i += 2) {
      const name = this.#headers[i] as string;
      const value = this.#headers[i + 1] as string;
      byName[name] = byName[name] === undefined ? value : `${byName[name]}, ${value}`;
    }
    return byName;
  }
}

/** The attempt as an `authorize` hook sees it: without the methods that control its cancellation. */
class AttemptView implements AuthorizeContext {
  readonly attempt: number;
  readonly #context: AuthorizeContext;

  constructor(context: AuthorizeContext) {
    this.attempt = context.attempt;
    this.#context = context;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }
}

/** Calls the hook for the headers that authorize one request. */
export async function authorize(
  auth: HttpAuth,
  { request, context }: { readonly request: PreparedRequest; readonly context: AuthorizeContext },
  origin: string,
  headers: readonly string[],
): Promise<AuthHeaders> {
  const authHeaders = await auth.authorize(new RequestView(request, origin, headers), new AttemptView(context));
  if (typeof authHeaders !== 'object' || authHeaders === null)
    throw new OptionsError('createHttpClient.auth.authorize()', withheld(authHeaders), 'headers');
  return authHeaders;
}
