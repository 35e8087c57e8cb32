// The second half of bootstrap.mjs, on a Node that can run TypeScript: picks the task and runs it.
import { endChildrenOnStop } from './children.mjs';
import { CheckFailed } from './programs.ts';

type Task = (args: readonly string[]) => Promise<unknown>;

// Loaded when asked for: a task that needs only tsup does not wait for the TypeScript compiler.
const tasks: Record<string, () => Promise<Task>> = {
  build: async () => (await import('./build.ts')).build,
  lint: async () => (await import('./lint.ts')).lint,
  format: async () => (await import('./lint.ts')).format,
  typecheck: async () => (await import('./typecheck.ts')).typecheck,
  unit: async () => (await import('./unit.ts')).unit,
  api: async () => (await import('./api.ts')).api,
  catalogue: async () => (await import('./catalogue.ts')).catalogue,
  docs: async () => (await import('./docs.ts')).docs,
  bench: async () => (await import('./start.ts')).bench,
  simulation: async () => (await import('./simulation.ts')).simulation,
  races: async () => (await import('./races.ts')).races,
  mutation: async () => (await import('./mutation.ts')).mutation,
  start: async () => (await import('./start.ts')).start,
  test: async () => (await import('./test.ts')).test,
};

endChildrenOnStop();
// CI sets no terminal but some programs colour their output there all the same.
if (!process.stdout.isTTY && process.env['FORCE_COLOR'] === undefined) process.env['NO_COLOR'] = '1';
const [name = '', ...args] = process.argv.slice(2);
try {
  const load = tasks[name];
  if (load === undefined) throw new CheckFailed(`No task "${name}". There are: ${Object.keys(tasks).join(', ')}.`);
  const task = await load();
  const code = await task(args);
  if (typeof code === 'number') process.exitCode = code;
} catch (error) {
  console.error(error instanceof CheckFailed ? error.message : error);
  process.exitCode = 1;
}
