declare module 'oidc-provider' {
  /** The part of the package that the tests use; it comes without types. */
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

  /** The context of a grant handler. */
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
