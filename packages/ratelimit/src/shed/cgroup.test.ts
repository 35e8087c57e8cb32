import { describe, expect, it } from 'vitest';
import { readContainer } from './cgroup.ts';

const V2_CPU = 'usage_usec 1\nnr_periods 1000\nnr_throttled 250\nthrottled_usec 99\n';

describe('readContainer', () => {
  it.each<[string, Record<string, string>, object]>([
    ['nothing outside of a container', {}, {}],
    [
      'version 2 in a namespace of its own',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/cpu.stat': V2_CPU,
        '/sys/fs/cgroup/memory.current': '900\n',
        '/sys/fs/cgroup/memory.max': '1000\n',
        '/sys/fs/cgroup/memory.stat': 'anon 600\ninactive_file 300\nactive_file 0\n',
      },
      { periods: 1_000, throttledPeriods: 250, memoryShare: 0.6 },
    ],
    [
      'version 2 by its own path',
      { '/proc/self/cgroup': '0::/kubepods/pod1\n', '/sys/fs/cgroup/kubepods/pod1/cpu.stat': V2_CPU },
      { periods: 1_000, throttledPeriods: 250 },
    ],
    [
      'version 2 by a path that is only true outside',
      { '/proc/self/cgroup': '0::/docker/abc\n', '/sys/fs/cgroup/cpu.stat': V2_CPU },
      { periods: 1_000, throttledPeriods: 250 },
    ],
    [
      'version 2 without limits',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/cpu.stat': 'usage_usec 1\nuser_usec 1\n',
        '/sys/fs/cgroup/memory.current': '900\n',
        '/sys/fs/cgroup/memory.max': 'max\n',
      },
      {},
    ],
    [
      'version 1',
      {
        '/proc/self/cgroup': '5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n',
        '/sys/fs/cgroup/cpu/cpu.stat': 'nr_periods 10\nnr_throttled 4\nthrottled_time 77\n',
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': '500\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '1000\n',
        '/sys/fs/cgroup/memory/memory.stat': 'cache 1\ntotal_inactive_file 100\n',
      },
      { periods: 10, throttledPeriods: 4, memoryShare: 0.4 },
    ],
    [
      'version 1 without limits',
      {
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': '500\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      },
      {},
    ],
    [
      'what cannot be read',
      { '/sys/fs/cgroup/cpu.stat': 'nr_periods many\n', '/sys/fs/cgroup/memory.current': '-1' },
      {},
    ],
  ])('reads %s', (_what, files, expected) => {
    expect(readContainer((path) => files[path])).toEqual(expected);
  });

  it('reads the machine of the test without an error', () => {
    const { memoryShare = 0, periods = 1, throttledPeriods = 0 } = readContainer();
    expect(memoryShare).toBeGreaterThanOrEqual(0);
    expect(throttledPeriods).toBeLessThanOrEqual(periods);
  });
});
