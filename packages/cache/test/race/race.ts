import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom, startFaultProxy, type FaultProxy, type SeededRandom } from '@macadam/testkit';
import { judge, type Bounds, type Cut, type Ended, type History, type ReadOf, type Verdict } from './verdict.ts';

export interface RaceOptions {
  /** Where the contenders are, and which of them runs. */
  readonly module: string;
  readonly contender: string;
  readonly redisUrl: string;
  readonly durationMs: number;
  readonly processes?: number;
  readonly seed?: number;
  /** What goes wrong meanwhile. Default: everything. */
  readonly faults?: 'cuts and restarts' | 'none';
  readonly bounds: Bounds;
}

export interface RaceReport extends Verdict {
  readonly cuts: number;
  readonly restarts: number;
  /** Operations that rejected. */
  readonly failed: number;
  /** Processes that ended by themselves. */
  readonly crashes: number;
}

interface Life {
  readonly child: ChildProcess;
  readonly history: History;
}

const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/** Several processes read, write and invalidate the same few keys, while their connections are cut and they are killed. */
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
  readonly #lives: Life[] = [];
  readonly #histories: History[] = [];
  readonly #cuts: Cut[] = [];
  #restarts = 0;
  #failed = 0;
  #crashes = 0;
  #ending = false;

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
    await this.#allHeard();
    const until = now() + durationMs;
    while (now() < until) {
      await sleep(200 + this.#random() * 800);
      if (faults === 'none') continue;
      const i = Math.floor(this.#random() * processes);
      if (this.#random() < 0.2) await this.#restart(i);
      else await this.#cut(i);
    }
    await sleep(300);
    this.#ending = true;
    const verdict = judge(this.#histories, this.#cuts, bounds);
    const counts = { cuts: this.#cuts.length, restarts: this.#restarts, failed: this.#failed, crashes: this.#crashes };
    return { ...verdict, ...counts };
  }

  async close(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#lives.map(({ child }) => ended(child)));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  #start(i: number): void {
    const { module, contender, redisUrl, seed = 1 } = this.#options;
    const through = (this.#proxies[i] as FaultProxy).url;
    const life = String(seed * 1_000 + this.#histories.length);
    const args = [module, contender, through, redisUrl, this.#prefix, String(i), life];
    const execArgv = ['--conditions=@macadam/source', '--unhandled-rejections=strict'];
    const child = fork(join(import.meta.dirname, 'worker.ts'), args, {
      execArgv,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const history: History = { process: i, reads: [], endings: [] };
    this.#histories.push(history);
    this.#lives[i] = { child, history };
    child.on('message', (message) => {
      const { reads, endings, failed } = message as { reads: ReadOf[]; endings: Ended[]; failed: number };
      history.reads.push(...reads);
      history.endings.push(...endings);
      this.#failed += failed;
    });
    child.on('exit', () => {
      if (this.#ending || this.#lives[i]?.child !== child) return;
      this.#crashes++;
      this.#start(i);
    });
  }

  async #restart(i: number): Promise<void> {
    const { child } = this.#lives[i] as Life;
    this.#lives[i] = { ...(this.#lives[i] as Life), child: undefined as unknown as ChildProcess };
    await ended(child);
    this.#restarts++;
    this.#start(i);
  }

  async #cut(i: number): Promise<void> {
    const proxy = this.#proxies[i] as FaultProxy;
    const from = now();
    const how = this.#random();
    if (how < 0.4) proxy.resetConnections();
    else {
      await proxy.set({ link: how < 0.7 ? 'refuse' : 'blackHole' });
      await sleep(100 + this.#random() * 900);
      await proxy.heal();
    }
    this.#cuts.push({ process: i, from, to: now() });
  }

  async #allHeard(): Promise<void> {
    for (let waited = 0; waited < 30_000; waited += 50) {
      if (this.#lives.every(({ history }) => history.reads.length > 0)) return;
      await sleep(50);
    }
    throw new Error('Not all processes of the race have begun');
  }
}

async function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
