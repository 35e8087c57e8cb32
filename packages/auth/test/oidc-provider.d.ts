declare module 'oidc-provider' {
  /** As much of the package, which comes without types, as the tests use. */
  export default class Provider {
    constructor(issuer: string, configuration: object);
    callback(): (request: never, response: never) => Promise<void>;
  }
}
