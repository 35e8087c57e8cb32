import type { EndpointTarget } from './endpoints/options.ts';
import type { ErrorSubject } from './errors.ts';
import type { PathTemplate } from './path-template.ts';
import { redactQuery } from './query.ts';

/** Names a request in messages; its URL is put together only when there is one. */
export class RequestSubject implements ErrorSubject {
  readonly method: string;
  /** And what all paths begin with. */
  readonly #origin: string;
  readonly #template: PathTemplate;
  readonly #query: string;

  constructor(method: string, origin: string, template: PathTemplate, query: string) {
    this.method = method;
    this.#origin = origin;
    this.#template = template;
    this.#query = query;
  }

  /** The same, of a request that is sent to an endpoint. */
  at({ origin, pathPrefix }: EndpointTarget): RequestSubject {
    return new RequestSubject(this.method, origin + pathPrefix, this.#template, this.#query);
  }

  get template(): string | undefined {
    // A path without parameters may have had them pasted into it, and then there is no end to its kinds.
    return this.#template.fixed === undefined ? this.#template.route : undefined;
  }

  get route(): string {
    return `${this.method} ${this.#template.route}`;
  }

  get url(): string {
    const url = this.#origin + this.#template.printable;
    if (this.#query === '') return url;
    return `${url}${this.#template.hasQuery ? '&' : '?'}${redactQuery(this.#query)}`;
  }
}
