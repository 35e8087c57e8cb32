import { beforeEach, describe, expect, it, vi } from 'vitest';
import { CheckFailed } from '../programs.ts';
import { runSteps, type Step } from '../steps.ts';

let said: string[] = [];
beforeEach(() => {
  said = [];
  for (const stream of ['log', 'error'] as const) {
    vi.spyOn(console, stream).mockImplementation((text) => void said.push(String(text).replace(/ \([\d.]+ s\)$/, '')));
  }
});

/** A step that ends when it is told to. */
function held(heading: string, needs: string[] = []): Step & { begun: boolean; pass: () => void } {
  let pass = (): void => {};
  const passed = new Promise<void>((resolve) => (pass = resolve));
  const work = async (): Promise<void> => {
    step.begun = true;
    await passed;
  };
  const step = { heading, needs, work, begun: false, pass };
  return step;
}

const passing = (heading: string, needs: string[] = []): Step => ({ heading, needs, work: async () => {} });
const failing = (heading: string): Step => ({
  heading,
  work: async () => {
    throw new CheckFailed(`${heading} is wrong`);
  },
});
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the steps of a check', () => {
  it('run two at a time, in order', async () => {
    const steps = ['a', 'b', 'c', 'd'].map((heading) => held(heading));
    const begun = (): string[] => steps.filter((step) => step.begun).map(({ heading }) => heading);
    const all = runSteps(steps);
    await settle();
    expect(begun()).toEqual(['a', 'b']);
    steps[1]?.pass();
    await settle();
    expect(begun()).toEqual(['a', 'b', 'c']);
    for (const step of steps) step.pass();
    expect(await all).toEqual({ passed: 4, failed: 0, skipped: 0 });
    expect(begun()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('start after the steps that they need; others may start before them', async () => {
    const build = held('build');
    const all = runSteps([build, passing('packed', ['build']), passing('lint')]);
    await settle();
    expect(said).toEqual(['ok   lint']);
    build.pass();
    await all;
    expect(said).toEqual(['ok   lint', 'ok   build', 'ok   packed']);
  });

  it('continue after a failure, print the error, and count the steps that need the failed one as skipped', async () => {
    const steps = [failing('build'), passing('packed', ['build']), passing('signed', ['packed']), passing('lint')];
    expect(await runSteps(steps)).toEqual({ passed: 1, failed: 1, skipped: 2 });
    expect(said.toSorted()).toEqual([
      'FAIL build',
      'build is wrong',
      'ok   lint',
      'skip packed: "build" has not passed',
      'skip signed: "packed" has not passed',
    ]);
    expect(said.indexOf('FAIL build')).toBe(said.indexOf('build is wrong') + 1);
  });

  it('add the figures of a step, and fail if it counts failures', async () => {
    const tests: Step = { heading: 'tests', work: async () => ({ passed: 7, failed: 2, skipped: 1 }) };
    expect(await runSteps([tests, passing('figures', ['tests'])])).toEqual({ passed: 7, failed: 2, skipped: 2 });
    expect(said).toEqual(['FAIL tests', 'skip figures: "tests" has not passed']);
  });

  it('refuse an unknown step in `needs`', async () => {
    await expect(runSteps([passing('packed', ['build'])])).rejects.toThrow('"packed" needs "build"');
  });
});
