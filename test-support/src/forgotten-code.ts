// V8 forgets compiled code when something that the code refers to is collected: the first calls after a quiet time are slow then. A
// script uses its subject and rests, in a process of its own; a test reads what was forgotten meanwhile.
import { runScript } from './processes.ts';

const RESTS = 4;
const MARK = 'rests';

/** For the script: uses its subject until the code is compiled, and is idle while the heap is collected, again and again. */
export async function useAndRest(use: () => Promise<void>): Promise<void> {
  for (let rests = 0; rests < RESTS; rests++) {
    await use();
    console.log(`\n${MARK}`);
    // What is not alive when it is collected for the third time is forgotten.
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate);
      globalThis.gc?.();
    }
  }
}

/** For the test: the names of the functions whose code was forgotten, some of the runtime's own among them. */
export async function functionsForgotten(script: string): Promise<string[]> {
  const output = await runScript(script, { flags: ['--expose-gc', '--trace-deopt'], timeoutMs: 60_000 });
  const turns = output.split(new RegExp(`^${MARK}$`, 'm'));
  if (turns.length !== RESTS + 1) throw new Error(`The script rested ${turns.length - 1} times`);
  // While it warms up, layouts still change.
  const afterwards = turns.slice(2).join('');
  const forgotten = /marking dependent code .*SharedFunctionInfo ?([^>]*)>.*weak objects/g;
  return Array.from(afterwards.matchAll(forgotten), ([, name]) => name as string);
}
