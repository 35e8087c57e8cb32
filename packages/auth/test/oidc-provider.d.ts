declare module 'oidc-provider' {
  /** As much of the package, which comes without types, as the tests use. */
  export default class Provider {
    constructor(issuer: string, configuration: object);
    callback(): (request: never, response: never) => Promise<void>;
    registerGrantType(name: string, handler: (ctx: GrantContext) => Promise<void>, parameters: readonly string[]): void;
    readonly AccessToken: new (fields: object) => AccessToken;
    readonly ResourceServer: new (identifier: string, settings: object) => object;
  }

  export interface AccessToken {
    resourceServer: object;
    readonly expiration: number;
    save(): Promise<string>;
  }

  /** What a handler of a grant gets. */
  export interface GrantContext {
    readonly oidc: {
      readonly params: Readonly<Record<string, unknown>>;
      readonly client: { readonly clientId: string };
    };
    act?: object | undefined;
    status: number;
    body: unknown;
  }
}
