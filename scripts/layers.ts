// Which package may import which. ARCHITECTURE.md has the same table in words.

export interface Layer {
  /** Packages of the workspace that it may import. */
  workspace: readonly string[];
  /** Packages of the workspace of which it may import types only. */
  workspaceTypes?: readonly string[];
  /** Third-party packages that it may import. */
  thirdParty: readonly string[];
  /** Third-party packages allowed only in files whose path below `src` starts with the key. */
  thirdPartyIn?: Readonly<Record<string, readonly string[]>>;
  /** Whether every file may import @opentelemetry/api, or only instruments.ts. */
  otelAnywhere?: boolean;
}

const everything = ['core', 'resilience', 'http', 'cache', 'ratelimit', 'telemetry', 'auth', 'service'];
const otel = '@opentelemetry/api';
const structuredFields = 'structured-headers';

export const layers: Readonly<Record<string, Layer>> = {
  core: { workspace: [], thirdParty: [] },
  resilience: { workspace: ['core'], thirdParty: ['p-retry', otel] },
  ratelimit: { workspace: ['core', 'resilience'], thirdParty: [structuredFields, otel] },
  http: { workspace: ['core', 'resilience'], thirdParty: ['undici', 'ipaddr.js', otel] },
  cache: { workspace: ['core', 'resilience'], thirdParty: ['lru-cache', 'devalue', otel] },
  telemetry: {
    workspace: ['core'],
    thirdParty: ['sonic-boom', otel],
    thirdPartyIn: { 'node/': ['@opentelemetry/'], 'node.ts': ['@opentelemetry/'] },
    otelAnywhere: true,
  },
  auth: { workspace: ['core', 'resilience'], thirdParty: ['jose', 'oauth4webapi', structuredFields, otel] },
  service: {
    workspace: ['core', 'telemetry'],
    workspaceTypes: ['ratelimit', 'auth', 'http'],
    thirdParty: [otel],
    thirdPartyIn: {
      'adapters/fastify': ['fastify', 'fastify-plugin'],
      'adapters/nest': ['@nestjs/', 'rxjs', 'reflect-metadata'],
      'adapters/express': ['express'],
      'adapters/hono': ['hono', '@hono/'],
    },
  },
  testkit: { workspace: ['core'], workspaceTypes: everything, thirdParty: [] },
};
