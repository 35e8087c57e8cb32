import { defineConfig } from 'vitest/config';

const conditions = ['@macadam/source', 'module', 'node', 'development'];

// The tests that a mutant has to survive: quick ones, in one worker that is kept.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['@macadam/source', 'node'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/*.test.ts'],
    exclude: [
      '**/node_modules/**',
      'test/{leaks,soak}.test.ts',
      // A hundred thousand keys: slow, and the registry has quick tests of its own.
      'src/circuit-breaker/circuit-breakers.test.ts',
    ],
    isolate: false,
    execArgv: ['--expose-gc', '--conditions=@macadam/source'],
    testTimeout: 5_000,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
  },
});
