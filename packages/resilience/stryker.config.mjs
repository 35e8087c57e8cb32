// Mutation testing of the rules that decide: `npm run mutation`. Not part of `npm test`: it takes many minutes.

const WORDS = 'Words for people: a test that repeats them proves nothing.';

/** What describe() says, and the texts of errors: paths of options, what is allowed, reasons. */
const words = {
  /** @param {import('@stryker-mutator/api/ignore').NodePath} path */
  shouldIgnore(path) {
    const { node, parent } = path;
    const isDescribe =
      (node.type === 'ObjectProperty' || node.type === 'ObjectMethod' || node.type === 'ClassMethod') &&
      node.key.name === 'describe';
    if (isDescribe || (node.type === 'FunctionDeclaration' && node.id?.name === 'describe')) return WORDS;
    if (parent?.type === 'NewExpression' && /Error$/.test(parent.callee.name ?? '') && isText(node)) return WORDS;
    const isCheck = parent?.type === 'CallExpression' && /^(assert[A-Z]|described$)/.test(parent.callee.name ?? '');
    return isCheck && isText(node) ? WORDS : undefined;
  },
};

/** @param {{ type: string }} node */
function isText(node) {
  return node.type === 'StringLiteral' || node.type === 'TemplateLiteral';
}

export const strykerPlugins = [{ kind: 'Ignore', name: 'words', value: words }];

/** @type {Partial<import('@stryker-mutator/api/core').StrykerOptions>} */
export default {
  plugins: ['@stryker-mutator/vitest-runner', import.meta.filename],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutation.config.ts', related: false, pool: 'forks' },
  ignorers: ['words'],
  // By name, not by pattern: the page of scores says which of them were not run.
  mutate: [
    'src/circuit-breaker/circuit-breaker.ts',
    'src/circuit-breaker/circuit.ts',
    'src/circuit-breaker/classify.ts',
    'src/circuit-breaker/rate-window.ts',
    'src/circuit-breaker/state.ts',
    'src/circuit-breaker/trip-rule.ts',
    'src/retry/backoff.ts',
    'src/retry/concurrent-retry-budget.ts',
    'src/retry/decision.ts',
    'src/retry/retry-budget.ts',
    'src/retry/retry-quota.ts',
    'src/retry/retry-run.ts',
    'src/retry/retry-throttle.ts',
    'src/retry/run-attempts.ts',
    'src/adaptive-concurrency/limit.ts',
    'src/hedge/hedge.ts',
    'src/hedge/latency-window.ts',
    'src/hedge/options.ts',
    'src/bulkhead.ts',
    'src/keyed.ts',
    'src/timeout.ts',
  ],
  ignorePatterns: ['dist', 'reports', 'test/simulation', 'README.md'],
  coverageAnalysis: 'perTest',
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  concurrency: 1,
  // A mutant that loops for ever is caught by counting first; the clock is only the net below, on a busy machine.
  timeoutMS: 10_000,
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, reportScoreTable: true },
  jsonReporter: { fileName: 'reports/mutation/mutation.json' },
  thresholds: { high: 95, low: 90, break: 90 },
  tempDirName: '.stryker-tmp',
};
