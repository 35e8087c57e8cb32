import { existsSync, readdirSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;
const conditions = ['@macadam/source', 'module', 'node', 'development'];

/**
 * One project a folder: its unit tests beside the sources, and everything under `test/`. The limit of time is for a test that
 * hangs, and long enough for one that computes on a core that it shares with others.
 */
function project(name: string, folder: string, include: string[], timeoutMs = 40_000) {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: ['@macadam/source', 'node'] } },
    test: {
      name,
      root: `${root}/${folder}`,
      include,
      // Forks, because leak tests count the handles of their own process and collect its garbage.
      pool: 'forks' as const,
      execArgv: ['--expose-gc', '--conditions=@macadam/source'],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      restoreMocks: true,
      unstubEnvs: true,
      unstubGlobals: true,
    },
  };
}

/** For tests that run whole services under load, with time limits of theirs: they come when the others have ended. */
function afterOthers({ test, ...rest }: ReturnType<typeof project>) {
  return { ...rest, test: { ...test, maxWorkers: 2, sequence: { groupOrder: 1 } } };
}

const folders = (parent: string) => (existsSync(`${root}/${parent}`) ? readdirSync(`${root}/${parent}`) : []);
const packages = folders('packages').filter((name) => existsSync(`${root}/packages/${name}/package.json`));

export default defineConfig({
  test: {
    passWithNoTests: true,
    // More than there are cores on a small machine: most tests wait for a socket or a process rather than compute.
    maxWorkers: 3,
    maxConcurrency: 2,
    projects: [
      ...packages.map((name) => project(name, `packages/${name}`, ['src/**/*.test.ts', 'test/**/*.test.ts'])),
      project('scripts', 'scripts', ['test/**/*.test.ts'], 60_000),
      project('docs', 'scripts/docs-snippets', ['*.test.ts'], 60_000),
      ...['bench', 'site']
        .filter((name) => folders(name).length > 0)
        .map((name) => project(name, name, ['**/*.test.ts'], 60_000)),
      afterOthers(project('examples', 'examples', ['**/*.test.ts'], 60_000)),
    ],
  },
});
