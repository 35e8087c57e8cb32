import type { EndpointTarget } from './endpoints/options.ts';
import type { ErrorSubject } from './errors.ts';
import type { PathTemplate } from './path-template.ts';
import { redactQuery } from './query.ts';

/** Identifies a request in errors and telemetry. The URL is only built when it is read. */
export class RequestSubject implements ErrorSubject {
  readonly method: string;
  /** The origin, with the path prefix of the endpoint if there is one. */
  readonly #origin: string;
  readonly #template: PathTemplate;
  readonly #query: string;

  constructor(method: string, origin: string, template: PathTemplate, query: string) {
    this.method = method;
    this.#origin = origin;
    this.#template = template;
    this.#query = query;
  }

  /** The subject of the request when it is sent to an endpoint. */
  at({ origin, pathPrefix }: EndpointTarget): RequestSubject {
    return new RequestSubject(this.method, origin + pathPrefix, this.#template, this.#query);
  }

  get template(): string | undefined {
    // A path without parameters may contain pasted values, which would make its cardinality unbounded.
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
