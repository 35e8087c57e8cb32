import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Measurement } from './measurement.ts';

const TIMEOUT_MS = 120_000;

/** A contender that waits in its process, warm, and measures one slice whenever it is asked to. */
export class SlicedContender {
  readonly #process: ChildProcess;
  readonly #lines: Interface;

  private constructor(process: ChildProcess, lines: Interface) {
    this.#process = process;
    this.#lines = lines;
  }

  /** Resolves when the contender has warmed up. */
  static async start([program = '', ...parameters]: readonly string[]): Promise<SlicedContender> {
    const child = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
    const contender = new SlicedContender(child, createInterface({ input: child.stdout }));
    try {
      await contender.#nextLine();
    } catch (error) {
      contender.end();
      throw error;
    }
    return contender;
  }

  async measure(): Promise<Measurement> {
    this.#process.stdin?.write('\n');
    return JSON.parse(await this.#nextLine()) as Measurement;
  }

  end(): void {
    this.#process.stdin?.end();
  }

  async #nextLine(): Promise<string> {
    const settled = new AbortController();
    const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    try {
      const line = once(this.#lines, 'line', { signal });
      const exit = once(this.#process, 'exit', { signal }).then(([code]) => {
        throw new Error(`A contender ended with code ${code} before it was measured.`);
      });
      const [text] = (await Promise.race([line, exit])) as [string];
      return text;
    } finally {
      settled.abort();
    }
  }
}
