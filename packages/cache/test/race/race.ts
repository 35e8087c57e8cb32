import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom, startFaultProxy, type FaultProxy, type SeededRandom } from '@macadam/testkit';
import {
  judge,
  type Bounds,
  type Cut,
  type Invalidation,
  type History,
  type RecordedRead,
  type Verdict,
} from './verdict.ts';

export interface RaceOptions {
  /** The module with the contenders, and the name of the one to run. */
  readonly module: string;
  readonly contender: string;
  readonly redisUrl: string;
  readonly durationMs: number;
  readonly processes?: number;
  readonly seed?: number;
  /** The faults to inject. Default: cuts and restarts. */
  readonly faults?: 'cuts and restarts' | 'none';
  readonly bounds: Bounds;
}

export interface RaceReport extends Verdict {
  readonly cuts: number;
  readonly restarts: number;
  /** Operations that rejected. */
  readonly failed: number;
  /** Processes that exited by themselves. */
  readonly crashes: number;
}

interface RunningProcess {
  readonly child: ChildProcess;
  readonly history: History;
}

const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/**
 * Runs several processes that read, write and invalidate the same few keys while their connections are cut and they are
 * killed and restarted.
 */
export async function race(options: RaceOptions): Promise<RaceReport> {
  const run = new Race(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class Race {
  readonly #options: RaceOptions;
  readonly #random: SeededRandom;
  readonly #prefix: string;
  readonly #proxies: FaultProxy[] = [];
  readonly #processes: RunningProcess[] = [];
  readonly #histories: History[] = [];
  readonly #cuts: Cut[] = [];
  #restarts = 0;
  #failed = 0;
  #crashes = 0;
  #isEnding = false;

  constructor(options: RaceOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed ?? 1);
    this.#prefix = `race-${process.pid}-${now().toFixed(0)}`;
  }

  async run(): Promise<RaceReport> {
    const { processes = 4, redisUrl, durationMs, faults = 'cuts and restarts', bounds } = this.#options;
    for (let i = 0; i < processes; i++) {
      this.#proxies.push(await startFaultProxy({ target: redisUrl, seed: i + 1 }));
      this.#start(i);
    }
    await this.#waitForFirstReads();
    const until = now() + durationMs;
    while (now() < until) {
      await sleep(200 + this.#random() * 800);
      if (faults === 'none') continue;
      const i = Math.floor(this.#random() * processes);
      if (this.#random() < 0.2) await this.#restart(i);
      else await this.#cut(i);
    }
    await sleep(300);
    this.#isEnding = true;
    const verdict = judge(this.#histories, this.#cuts, bounds);
    const counts = { cuts: this.#cuts.length, restarts: this.#restarts, failed: this.#failed, crashes: this.#crashes };
    return { ...verdict, ...counts };
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#processes.map(({ child }) => killAndWait(child)));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  #start(i: number): void {
    const { module, contender, redisUrl, seed = 1 } = this.#options;
    const proxyUrl = (this.#proxies[i] as FaultProxy).url;
    const workerSeed = String(seed * 1_000 + this.#histories.length);
    const args = [module, contender, proxyUrl, redisUrl, this.#prefix, String(i), workerSeed];
    const execArgv = ['--conditions=@macadam/source', '--unhandled-rejections=strict'];
    const child = fork(join(import.meta.dirname, 'worker.ts'), args, {
      execArgv,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const history: History = { process: i, reads: [], invalidations: [] };
    this.#histories.push(history);
    this.#processes[i] = { child, history };
    child.on('message', (message) => {
      const { reads, invalidations, failed } = message as {
        reads: RecordedRead[];
        invalidations: Invalidation[];
        failed: number;
      };
      history.reads.push(...reads);
      history.invalidations.push(...invalidations);
      this.#failed += failed;
    });
    child.on('exit', () => {
      if (this.#isEnding || this.#processes[i]?.child !== child) return;
      this.#crashes++;
      this.#start(i);
    });
  }

  async #restart(i: number): Promise<void> {
    const { child } = this.#processes[i] as RunningProcess;
    this.#processes[i] = { ...(this.#processes[i] as RunningProcess), child: undefined as unknown as ChildProcess };
    await killAndWait(child);
    this.#restarts++;
    this.#start(i);
  }

  async #cut(i: number): Promise<void> {
    const proxy = this.#proxies[i] as FaultProxy;
    const from = now();
    const dice = this.#random();
    if (dice < 0.4) proxy.resetConnections();
    else {
      await proxy.set({ link: dice < 0.7 ? 'refuse' : 'blackHole' });
      await sleep(100 + this.#random() * 900);
      await proxy.heal();
    }
    this.#cuts.push({ process: i, from, to: now() });
  }

  async #waitForFirstReads(): Promise<void> {
    for (let waited = 0; waited < 30_000; waited += 50) {
      if (this.#processes.every(({ history }) => history.reads.length > 0)) return;
      await sleep(50);
    }
    throw new Error('Not all processes of the race have started to read');
  }
}

async function killAndWait(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
