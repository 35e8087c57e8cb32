/** The cases of `tierContract`. Each opens one or more spaces of the tier, and throws an assertion error if it fails. */
import { strict as assert } from 'node:assert';
import { systemClock } from '@macadam/core';
import { entryOf, leaseAt, leaseOf, readOf, textOf } from './contract-helpers.ts';
import type { ListeningInstance } from './listening-instance.ts';
import type { Coherence, TierChange, TierSpace } from './tier.ts';
import { newHead } from './wire/head.ts';

const LONG_MS = 3_600_000;

export async function returnsBytes(open: () => ListeningInstance): Promise<void> {
  const [one, other] = [open().space, open().space];
  assert.deepEqual(await readOf(one, 'k'), { kind: 'absent', lease: undefined });
  const bytes = Buffer.concat([newHead('value'), Buffer.from(Array.from({ length: 256 }, (_, i) => i))]);
  assert.equal(await one.write('k', bytes, LONG_MS), true);
  const read = await readOf(other, 'k', true);
  assert.ok(read.kind === 'value');
  assert.ok(Buffer.from(read.entry).equals(bytes));
  assert.ok(read.remainingMs > LONG_MS / 2 && read.remainingMs <= LONG_MS, `${read.remainingMs}`);
  await one.write('k', entryOf('second'), LONG_MS);
  assert.equal(textOf(await readOf(other, 'k')), 'second');
  // Not current any more: stored at the first attempt, or not at all.
  const isStored = await open().space.write('overtaken', entryOf('older'), LONG_MS, undefined, () => false);
  assert.equal(textOf(await readOf(one, 'overtaken')), isStored ? 'older' : undefined);
}

export async function readsManyKeys(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  const keys = Array.from({ length: space.mostReads }, (_, i) => `k${i}`);
  const there = keys.filter((_, i) => i % 3 !== 0);
  await Promise.all(there.map((key) => space.write(key, entryOf(key), LONG_MS)));
  const reads = await space.read(keys, true);
  assert.deepEqual(
    reads.map(textOf),
    keys.map((key) => (there.includes(key) ? key : undefined)),
  );
  const leases = reads.map(leaseOf).filter((lease) => lease !== undefined);
  assert.equal(new Set(leases).size, keys.length - there.length);
}

export async function givesOneLease(open: () => ListeningInstance): Promise<void> {
  const spaces = [open().space, open().space];
  const reads = await Promise.all(Array.from({ length: 20 }, (_, i) => readOf(spaces[i % 2] as TierSpace, 'k', true)));
  assert.equal(reads.filter((read) => leaseOf(read) !== undefined).length, 1);
  assert.equal(await (spaces[0] as TierSpace).lease('k', false), undefined);
  assert.notEqual(await (spaces[0] as TierSpace).lease('other', false), undefined);
  assert.equal(leaseOf(await readOf(spaces[1] as TierSpace, 'other', true)), undefined);
}

export async function fillsOnce(open: () => ListeningInstance): Promise<void> {
  const [one, other] = [open().space, open().space];
  const lease = await leaseAt(one, 'k');
  const another = await leaseAt(other, 'another');
  assert.equal(await other.fill('k', another, entryOf('not mine'), LONG_MS), false);
  assert.equal(await one.fill('k', lease, entryOf('loaded'), LONG_MS), true);
  assert.equal(await one.fill('k', lease, entryOf('again'), LONG_MS), false);
  assert.equal(textOf(await readOf(other, 'k')), 'loaded');
  // While a value is stored, a lease is for reloading it.
  const reloadLease = await other.lease('k', false);
  assert.ok(reloadLease !== undefined);
  assert.equal(textOf(await readOf(one, 'k', true)), 'loaded');
  assert.equal(await one.lease('k', false), undefined);
  assert.equal(await other.fill('k', reloadLease, entryOf('reloaded'), LONG_MS), true);
  assert.equal(textOf(await readOf(one, 'k')), 'reloaded');
}

export async function refusesFills(open: () => ListeningInstance): Promise<void> {
  const [one, other] = [open().space, open().space];
  const ends: Record<string, (key: string) => Promise<unknown>> = {
    removed: (key) => other.remove([key]),
    expired: (key) => other.expire([key], newHead('expired'), LONG_MS),
    written: (key) => other.write(key, entryOf('newer'), LONG_MS),
  };
  for (const [how, end] of Object.entries(ends)) {
    const lease = await leaseAt(one, how);
    await end(how);
    assert.equal(await one.fill(how, lease, entryOf('older'), LONG_MS), false, how);
    assert.equal(textOf(await readOf(one, how)), how === 'written' ? 'newer' : undefined, how);
    // The same for a lease that was taken while a value was stored.
    await one.write(how, entryOf('value'), LONG_MS);
    const reloadLease = await one.lease(how, false);
    assert.ok(reloadLease !== undefined);
    await end(how);
    assert.equal(await one.fill(how, reloadLease, entryOf('older'), LONG_MS), false, how);
  }
}

export async function releasesLeases(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  const [lease, other] = [await leaseAt(space, 'k'), await leaseAt(space, 'other')];
  await space.release('k', other);
  assert.deepEqual(await readOf(space, 'k', true), { kind: 'absent', lease: undefined });
  await space.release('k', lease);
  await leaseAt(space, 'k');
}

export async function takesLeaseAway(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  await space.write('value', entryOf('value'), LONG_MS);
  for (const key of ['absent', 'value']) {
    const older = key === 'absent' ? await leaseAt(space, key) : await space.lease(key, false);
    const newer = await space.lease(key, true);
    assert.ok(older !== undefined && newer !== undefined);
    assert.equal(await space.fill(key, older, entryOf('older'), LONG_MS), false);
    assert.equal(leaseOf(await readOf(space, key, true)), undefined);
    assert.equal(await space.fill(key, newer, entryOf('newer'), LONG_MS), true);
    assert.equal(textOf(await readOf(space, key)), 'newer');
  }
}

export async function expiresEntries(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  await space.write('k', entryOf('value'), LONG_MS);
  await space.write('short', entryOf('value'), LONG_MS / 100);
  const head = newHead('expired');
  await space.expire(['k', 'short', 'absent'], head, LONG_MS / 10);
  const [read, short] = [await readOf(space, 'k'), await readOf(space, 'short')];
  assert.ok(read.kind === 'value' && short.kind === 'value');
  assert.ok(Buffer.from(read.entry).subarray(0, 16).equals(head));
  assert.equal(textOf(read), 'value');
  assert.ok(read.remainingMs <= LONG_MS / 10 && short.remainingMs <= LONG_MS / 100);
  assert.equal((await readOf(space, 'absent')).kind, 'absent');
  await space.expire(['k'], head, 0);
  assert.equal((await readOf(space, 'k')).kind, 'absent');
}

export async function removesEntries(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  const keys = Array.from({ length: 600 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((key) => space.write(key, entryOf(key), LONG_MS)));
  await space.remove(keys.slice(1));
  const left = await Promise.all(keys.map((key) => readOf(space, key)));
  assert.equal(left.filter(({ kind }) => kind === 'value').length, 1);
  await space.write('brief', entryOf('brief'), 20);
  await systemClock.sleep(60);
  assert.equal((await readOf(space, 'brief')).kind, 'absent');
}

export async function ordersMarks(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  const before = await space.marks();
  const first = await space.mark(['a', 'b'], 'invalidated');
  const second = await space.mark(['a'], 'expired');
  const all = await space.mark([''], 'invalidated');
  assert.deepEqual([first.epoch, second.epoch, all.epoch], [before.epoch, before.epoch, before.epoch]);
  assert.ok(before.position < first.position && first.position < second.position && second.position < all.position);
  const later = await open().space.marks();
  const known = later.marks.map(({ tag, how, position }) => `${tag} ${how} ${position}`);
  assert.equal(later.epoch, before.epoch);
  assert.equal(later.position, all.position);
  for (const mark of [`a invalidated ${first.position}`, `b invalidated ${first.position}`])
    assert.ok(known.includes(mark));
  for (const mark of [`a expired ${second.position}`, ` invalidated ${all.position}`]) assert.ok(known.includes(mark));
}

export async function separatesKeys(open: () => ListeningInstance): Promise<void> {
  const { space } = open();
  const keys = ['a', 'A', 'a:b', 'a}:b', '{a}', '%7b', '*', '[ab]', 'a b', 'ä', '\u0000', 'a\r\nb', '\ud800', '\udbff'];
  keys.push('x'.repeat(1_024));
  for (const key of keys) await space.write(key, entryOf(`of ${JSON.stringify(key)}`), LONG_MS);
  for (const key of keys) assert.equal(textOf(await readOf(space, key)), `of ${JSON.stringify(key)}`);
  await space.remove(['*', '\ud800']);
  assert.equal((await readOf(space, '*')).kind, 'absent');
  assert.equal(textOf(await readOf(space, '\udbff')), 'of "\\udbff"');
  assert.equal(textOf(await readOf(space, 'a')), 'of "a"');
}

export async function separatesNames(open: (suffix?: string) => ListeningInstance): Promise<void> {
  const [one, other] = [open(), open(':other')];
  await one.space.write('k', entryOf('one'), LONG_MS);
  assert.equal((await readOf(other.space, 'k')).kind, 'absent');
  await other.space.mark(['t'], 'invalidated');
  assert.deepEqual((await one.space.marks()).marks, []);
}

export async function reportsChanges(open: () => ListeningInstance, coherence: Coherence): Promise<void> {
  const [one, other] = [open(), open()];
  for (const instance of [one, other]) {
    if (instance.space.connected === true) continue;
    await instance.waitFor('the connection', ({ kind }) => kind === 'connected');
  }
  const key = 'a}"ä';
  const about = (how: string) => (change: TierChange) =>
    change.kind === 'keys' && change.keys.includes(key) && change.how === how;
  await one.space.write(key, entryOf('v'), LONG_MS);
  await other.waitFor('the write', about('invalidated'));
  other.changes.length = 0;
  await one.space.remove([key]);
  await other.waitFor('the removal', about('invalidated'));
  await one.space.write(key, entryOf('v'), LONG_MS);
  await one.space.mark(['t'], 'invalidated');
  await other.waitFor(
    'the mark',
    (change) => change.kind === 'marks' && change.marks.marks.some(({ tag }) => tag === 't'),
  );
  // With tracking, the server reports changes to their author too.
  if (coherence === 'tracking') return;
  const own = one.changes.filter(({ kind }) => kind === 'keys' || kind === 'marks');
  assert.deepEqual(own, []);
}
