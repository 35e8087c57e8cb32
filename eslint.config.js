import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Hidden from every file: `export *` says nothing about what the public API is. */
const noExportAll = {
  selector: 'ExportAllDeclaration[exported=null]',
  message: 'Name what you export: `export *` hides what the public API is.',
};

/** Time and chance are handed in, so that the whole stack can run in virtual time from one seed. */
const timers = ['setTimeout', 'setInterval', 'setImmediate'];
const takeTheClock = 'Take the injected Clock (clock.now, clock.monotonic, clock.setTimer, clock.sleep).';
const takeTheRandom = 'Take the injected Random.';
const timerModules = [
  'node:timers',
  'node:timers/promises',
  'timers',
  'timers/promises',
  'node:perf_hooks',
  'perf_hooks',
];

const globalObject = '/^(globalThis|global)$/';
const noAmbientTime = [
  {
    selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
    message: `new Date() reads the wall clock. ${takeTheClock}`,
  },
  { selector: 'CallExpression[callee.name="Date"]', message: `Date() reads the wall clock. ${takeTheClock}` },
  {
    selector: `MemberExpression[object.name=${globalObject}][property.name=/^(${timers.join('|')}|performance)$/]`,
    message: takeTheClock,
  },
  { selector: 'MemberExpression[object.name="process"][property.name=/^(hrtime|uptime)$/]', message: takeTheClock },
  {
    selector: 'CallExpression[callee.object.name="AbortSignal"][callee.property.name="timeout"]',
    message: `AbortSignal.timeout waits on the wall clock. ${takeTheClock}`,
  },
];

/** "Option x is undefined" sends whoever reads it to look for what is missing, where something was given. */
const sayWhatCame = 'Give OptionsError the value itself, or withheld(value) where it may be a secret.';
const noMadeUpValue = [
  {
    selector: 'NewExpression[callee.name="OptionsError"][arguments.1.type="Identifier"][arguments.1.name="undefined"]',
    message: sayWhatCame,
  },
  { selector: 'NewExpression[callee.name="OptionsError"][arguments.1.operator="typeof"]', message: sayWhatCame },
];

const noSleep = [
  {
    selector: 'NewExpression[callee.name="Promise"] CallExpression[callee.name=/^(setTimeout|setImmediate)$/]',
    message: 'A test does not sleep: advance the virtual clock, or wait on an event.',
  },
];

const packageImports = {
  patterns: [
    {
      regex: '^@macadam/[^/]+/(src|dist|test)(/|$)',
      message: 'Import the published entry point of the package, not a file inside it.',
    },
  ],
};

export default defineConfig(
  globalIgnores([
    '**/dist/',
    '**/node_modules/',
    '.tools/',
    '.cache/',
    '**/coverage/',
    '**/.stryker-tmp/',
    '**/.snippets/',
    'docs/site/',
  ]),
  {
    files: ['**/*.{ts,js,mjs}'],
    extends: [tseslint.configs.base],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-restricted-syntax': ['error', noExportAll],
      'no-restricted-imports': ['error', packageImports],
      'no-debugger': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-constant-condition': 'error',
      'no-unreachable': 'error',
      'no-self-compare': 'error',
      'no-unsafe-finally': 'error',
      'no-fallthrough': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // Only here is the type checker asked: it is what makes lint slow, and here is what our users run, and what tests it.
    files: ['packages/*/{src,test}/**/*.ts', 'test-support/src/**/*.ts'],
    // It is asked once for all of them: one program a package reads, and checks, the sources of the packages below again each time.
    languageOptions: { parserOptions: { project: 'tsconfig.packages.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-for-in-array': 'error',
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', noExportAll, ...noAmbientTime, ...noMadeUpValue],
      'no-restricted-globals': [
        'error',
        ...[...timers, 'performance'].map((name) => ({ name, message: takeTheClock })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: takeTheClock },
        { object: 'Math', property: 'random', message: takeTheRandom },
        { object: 'crypto', property: 'getRandomValues', message: takeTheRandom },
      ],
      'no-restricted-imports': [
        'error',
        { ...packageImports, paths: timerModules.map((name) => ({ name, message: takeTheClock })) },
      ],
    },
  },
  {
    // The one place where real time and real chance enter, and the servers of testkit, which stand for the world outside.
    files: ['packages/core/src/{clock,random}.ts', 'packages/core/src/*-clock.ts', 'packages/testkit/src/fault-*.ts'],
    rules: {
      'no-restricted-syntax': ['error', noExportAll],
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
      'no-restricted-imports': ['error', packageImports],
    },
  },
  {
    files: ['packages/*/src/**/*.test.ts'],
    rules: {
      'no-restricted-syntax': ['error', noExportAll, ...noSleep],
      'no-restricted-imports': [
        'error',
        {
          ...packageImports,
          paths: ['node:timers/promises', 'timers/promises'].map((name) => ({
            name,
            message: 'A unit test does not sleep: advance the virtual clock.',
          })),
        },
      ],
    },
  },
);
