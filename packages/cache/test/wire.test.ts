import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateEntry, readEntry } from '../src/wire/entry.ts';
import { type Envelopes, type EnvelopeSettings, type Opened } from '../src/wire/envelopes.ts';
import { HEAD_BYTES, kindOf, newHead } from '../src/wire/head.ts';
import { createKeyring } from '../src/wire/encryption.ts';
import type { StandardSchema } from '../src/wire/schema.ts';
import { encrypted, entries, envelopes, facts, large, packed, small } from './fixtures/entries.ts';

const written = JSON.parse(readFileSync(new URL('fixtures/entries-v1.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;
const bytesOf = (name: string): Buffer => Buffer.from(written[name] as string, 'hex');

async function sealed(wire: Envelopes<unknown>, value: unknown, key = facts.key): Promise<Buffer> {
  return (await wire.seal(wire.encode(value) as Uint8Array, { ...facts, key })) as Buffer;
}

async function reasonOf(wire: Envelopes<unknown>, bytes: Uint8Array, key = facts.key): Promise<string> {
  const before = { ...wire.unreadable };
  const opened = await wire.open(key, bytes);
  if (opened.state !== 'unreadable') return opened.state;
  expect(wire.unreadable).toEqual({ ...before, [opened.reason]: before[opened.reason] + 1 });
  return opened.reason;
}

describe('the format of version 1', () => {
  for (const [name, { made, facts: said, value }] of Object.entries(entries)) {
    it(`reads an entry of the released format: ${name}`, async () => {
      const opened = await made().open(said.key, bytesOf(name));
      expect(opened).toStrictEqual({ state: 'value', value, writtenAt: 1_700_000_000_000, ...said });
    });

    it(`reads an entry that it has just written: ${name}`, async () => {
      const wire = made();
      const bytes = await wire.seal(wire.encode(value) as Uint8Array, said);
      expect(await made().open(said.key, bytes)).toMatchObject({ state: 'value', value, ...said });
      // As a view of a larger buffer, as drivers return it.
      const within = new Uint8Array(bytes.length + 9);
      within.set(bytes, 5);
      expect(await made().open(said.key, within.subarray(5, 5 + bytes.length))).toMatchObject({ value });
    });
  }

  it('leases and tombstones consist of a head', async () => {
    for (const kind of ['lease', 'tombstone'] as const) {
      expect(bytesOf(kind)).toHaveLength(HEAD_BYTES);
      expect(await envelopes().open('user:42', bytesOf(kind))).toEqual({ state: kind });
      expect(await envelopes().open('user:42', newHead(kind))).toEqual({ state: kind });
    }
  });

  it('replacing the head turns a value into an expired one, encrypted or not', async () => {
    for (const name of ['plain', 'encrypted']) {
      const { made, value } = entries[name] as (typeof entries)[string];
      const bytes = bytesOf(name);
      newHead('expired').copy(bytes);
      expect(await made().open(facts.key, bytes)).toMatchObject({ state: 'expired', value });
    }
  });

  it('every write has its own head', async () => {
    const heads = Array.from({ length: 10_000 }, () => newHead('value').toString('hex'));
    expect(new Set(heads).size).toBe(heads.length);
    const [one, other] = [await sealed(envelopes(), 1), await sealed(envelopes(), 1)];
    expect(one.subarray(0, HEAD_BYTES).equals(other.subarray(0, HEAD_BYTES))).toBe(false);
    expect(one.subarray(HEAD_BYTES).equals(other.subarray(HEAD_BYTES))).toBe(true);
  });

  it('throws for an entry whose fields exceed the header', () => {
    const fields = readEntry(bytesOf('plain'))!;
    for (const change of [{ codec: 'x'.repeat(256) }, { position: 'x'.repeat(300) }, { key: 'x'.repeat(70_000) }]) {
      expect(() => allocateEntry({ ...fields, ...change }, 1)).toThrow(RangeError);
    }
    expect(() => allocateEntry({ ...fields, tags: Array.from({ length: 17 }, String) }, 1)).toThrow(RangeError);
  });
});

describe('an unreadable entry is a miss with a reason', () => {
  it('foreign bytes, damaged entries and other versions', async () => {
    const plain = bytesOf('plain');
    const changed = (at: number, to: number): Buffer => {
      const bytes = Buffer.from(plain);
      bytes[at] = to;
      return bytes;
    };
    for (const [bytes, reason] of [
      [Buffer.alloc(0), 'format'],
      [Buffer.from('{"name":"Ann"}'), 'format'],
      [Buffer.from('a text that is longer than a head'), 'format'],
      [plain.subarray(0, 15), 'format'],
      [plain.subarray(0, 16), 'format'],
      [plain.subarray(0, 70), 'format'],
      [plain.subarray(0, plain.length - 1), 'format'],
      [Buffer.concat([plain, Buffer.from('x')]), 'format'],
      [Buffer.concat([newHead('lease'), Buffer.from('x')]), 'format'],
      [changed(2, 0), 'version'],
      [changed(2, 2), 'version'],
      [changed(3, 0), 'format'],
      [changed(3, 9), 'format'],
      [changed(16, 9), 'decode'], // an unknown compression
      [changed(17, 9), 'decrypt'], // an unknown encryption
      [changed(28, 0xff), 'format'], // a negative duration
      [changed(70, 17), 'format'], // too many tags
      [changed(70, 1), 'format'], // a tag that nobody counted
      [changed(70, 3), 'format'], // a tag that is not there
      [changed(59, 1), 'decode'], // another length of the value
    ] as const) {
      expect(await reasonOf(envelopes(), bytes)).toBe(reason);
    }
  });

  it('another key, cache, codec or schema version', async () => {
    const bytes = bytesOf('plain');
    expect(await reasonOf(envelopes(), bytes)).toBe('value');
    expect(await reasonOf(envelopes(), bytes, 'user:43')).toBe('key');
    expect(await reasonOf(envelopes({ name: 'orders' }), bytes)).toBe('key');
    expect(await reasonOf(packed(), bytes)).toBe('codec');
    expect(await reasonOf(envelopes({ schemaVersion: '2' }), bytes)).toBe('schemaVersion');
  });

  it('values above maxValueBytes are neither written nor read', async () => {
    const wire = envelopes({ maxValueBytes: 1_000 });
    expect(wire.encode('x'.repeat(998))).toHaveLength(1_000);
    expect(wire.encode('x'.repeat(999))).toBeUndefined();
    expect(wire.oversized).toBe(1);
    expect(await reasonOf(wire, bytesOf('compressed'))).toBe('size');
  });

  it('a value that the codec cannot have written', async () => {
    for (const text of ['', '{', '~-1', '~[["Nothing",1]]', 'undefined']) {
      const fields = { ...readEntry(bytesOf('plain'))!, rawBytes: text.length };
      const { entry, payloadAt } = allocateEntry(fields, text.length);
      entry.write(text, payloadAt);
      expect(await reasonOf(envelopes(), entry)).toBe('decode');
    }
  });

  const schema = (validate: StandardSchema['~standard']['validate']): Partial<EnvelopeSettings> => ({
    schema: { '~standard': { version: 1, vendor: 'test', validate } },
  });

  it('a value that the schema rejects, synchronously or not, or throws for; null is not validated', async () => {
    const bytes = bytesOf('plain');
    const issues = [{ message: 'no' }];
    expect(await reasonOf(envelopes(schema(() => ({ issues }))), bytes)).toBe('schema');
    expect(await reasonOf(envelopes(schema(async () => ({ issues }))), bytes)).toBe('schema');
    expect(await reasonOf(envelopes(schema(() => Promise.reject(new Error('down')))), bytes)).toBe('schema');
    // Thenables of other libraries, and invalid results.
    const foreign = { then: (resolve: (answer: object) => void) => resolve({ issues }) } as Promise<{
      issues: object[];
    }>;
    expect(await reasonOf(envelopes(schema(() => foreign)), bytes)).toBe('schema');
    expect(await reasonOf(envelopes(schema(async () => undefined as never)), bytes)).toBe('schema');
    const broken = schema(() => {
      throw new Error('broken');
    });
    expect(await reasonOf(envelopes(broken), bytes)).toBe('schema');
    expect(await reasonOf(envelopes(broken), bytesOf('absence'))).toBe('value');
    // The output of the schema is ignored: values in memory did not pass through it either.
    const changing = envelopes(schema(async () => ({ value: 'changed' })));
    expect(await changing.open(facts.key, bytes)).toMatchObject({ state: 'value', value: small });
  });
});

describe('hostile bytes', () => {
  const wires = { plain: envelopes, packed, encrypted: () => encrypted() };
  const sources = Object.keys(written).map(bytesOf);

  for (const [name, made] of Object.entries(wires)) {
    it(`${name}: never throw, and never decode to a value of another key`, async () => {
      const wire = made();
      const hostile = fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc
          .tuple(
            fc.constantFrom(...sources),
            fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 6 }),
            fc.nat(400),
          )
          .map(([source, changes, cut]) => {
            const bytes = Buffer.from(cut < 100 ? source.subarray(0, source.length - cut) : source);
            for (const [at, to] of changes) if (at < bytes.length) bytes[at] = to;
            return bytes;
          }),
      );
      const law = fc.asyncProperty(hostile, async (bytes) => {
        const opened: Opened<unknown> = await wire.open(facts.key, bytes);
        if (opened.state === 'value' || opened.state === 'expired') expect(opened.key).toBe(facts.key);
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      });
      await fc.assert(law, { numRuns: 1_000 });
    });
  }

  it('decompresses no more bytes than the header states', async () => {
    const bomb = deflateRawSync(Buffer.alloc(50_000_000));
    for (const [rawBytes, reason] of [
      [10, 'decode'],
      [1_000_000, 'decode'],
      [50_000_000, 'size'],
    ] as const) {
      const fields = { ...readEntry(bytesOf('compressed'))!, rawBytes };
      const { entry, payloadAt } = allocateEntry(fields, bomb.length);
      entry.set(bomb, payloadAt);
      expect(await reasonOf(envelopes(), entry)).toBe(reason);
    }
  });
});

describe('compression', () => {
  it('compresses only above the limit, and only if that makes the entry smaller', async () => {
    const text = 'x'.repeat(5_000);
    const lengths = async (value: unknown, compressAboveBytes: number): Promise<number> =>
      (await sealed(envelopes({ compressAboveBytes }), value)).length;
    expect(await lengths(text, 4_096)).toBeLessThan(200);
    expect(await lengths(text, 5_002)).toBeGreaterThan(5_000);
    expect(await lengths(text, Infinity)).toBeGreaterThan(5_000);
    const noise = Array.from({ length: 500 }, (_, i) => Math.sin(i).toString(36)).join('');
    const bytes = Buffer.from(await sealed(envelopes(), Uint8Array.from(deflateRawSync(noise))));
    expect(await envelopes().open(facts.key, bytes)).toMatchObject({ state: 'value' });
  });

  it('compresses and decompresses large values without blocking the event loop', async () => {
    const value = Array.from({ length: 20_000 }, (_, i) => ({ id: i, name: `user ${i}` }));
    const wire = envelopes();
    const sealing = wire.seal(wire.encode(value) as Uint8Array, facts);
    expect(sealing).toBeInstanceOf(Promise);
    const opening = wire.open(facts.key, await sealing);
    expect(opening).toBeInstanceOf(Promise);
    expect(await opening).toMatchObject({ value });
    expect(wire.seal(wire.encode(large) as Uint8Array, facts)).not.toBeInstanceOf(Promise);
  });
});

describe('encryption', () => {
  it('the stored entry contains nothing of the plain value', async () => {
    const bytes = await sealed(encrypted(), { secret: 'a very secret thing' });
    expect(bytes.includes('secret')).toBe(false);
    expect((await sealed(encrypted(), 1)).equals(await sealed(encrypted(), 1))).toBe(false);
  });

  it('key rotation: values of an old key are readable while it is listed', async () => {
    const bytes = await sealed(encrypted(['k1']), small);
    expect(await reasonOf(encrypted(['k2', 'k1']), bytes)).toBe('value');
    expect(await reasonOf(encrypted(['k2']), bytes)).toBe('decrypt');
    expect(await reasonOf(encrypted(['k1']), await sealed(encrypted(['k2', 'k1']), small))).toBe('decrypt');
  });

  it('rejects an entry that was moved to another key or cache, prolonged or modified', async () => {
    const bytes = await sealed(encrypted(), small);
    const entry = readEntry(bytes)!;
    const rewritten = (change: object): Buffer => {
      const { entry: copy, payloadAt } = allocateEntry({ ...entry, ...change }, entry.payload.length);
      copy.set(entry.payload, payloadAt);
      return copy;
    };
    expect(await reasonOf(encrypted(), rewritten({}))).toBe('value');
    expect(await reasonOf(encrypted(), rewritten({ key: 'user:43' }), 'user:43')).toBe('decrypt');
    for (const change of [
      { freshForMs: Infinity },
      { tags: [] },
      { position: '' },
      { validator: '' },
      { writtenAt: 1 },
    ]) {
      expect(await reasonOf(encrypted(), rewritten(change))).toBe('decrypt');
    }
    for (let at = HEAD_BYTES; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      expect(await reasonOf(encrypted(), changed)).not.toBe('value');
    }
  });

  it('rejects unencrypted entries when encryption is on, and encrypted ones when it is off', async () => {
    expect(await reasonOf(encrypted(), bytesOf('plain'))).toBe('decrypt');
    expect(await reasonOf(envelopes(), bytesOf('encrypted'))).toBe('decrypt');
    const short = { ...readEntry(bytesOf('encrypted'))! };
    expect(await reasonOf(encrypted(), allocateEntry(short, 5).entry)).toBe('decrypt');
  });

  it('validates encryption keys without printing them', () => {
    const key = Buffer.alloc(32, 7);
    const refused = (keys: unknown, path: string): void => {
      const error = thrownBy(() => createKeyring('createCache.encryption', { keys } as never));
      expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: `createCache.encryption.${path}` });
      expect(String((error as Error).message)).not.toContain('hunter2');
    };
    refused([], 'keys');
    refused('hunter2', 'keys');
    refused(['hunter2'], 'keys[0]');
    refused([{ id: '', key }], 'keys[0].id');
    refused([{ id: 'a', key }, { id: 'a', key }], 'keys[1].id'); // prettier-ignore
    refused([{ id: 'a', key: 'hunter2' }], 'keys[0].key');
    refused([{ id: 'a', key: Buffer.alloc(16) }], 'keys[0].key');
    refused([{ id: 'a', key, cipher: 'x' }], 'keys[0].cipher');
    expect(JSON.stringify(createKeyring('e', { keys: [{ id: 'a', key }] }))).not.toContain('7,7');
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown');
}

it('isolation "freeze" applies to values decoded from the tier', async () => {
  const value = async (isolation: EnvelopeSettings['isolation']): Promise<unknown> => {
    const opened = await envelopes({ isolation }).open(facts.key, bytesOf('plain'));
    return (opened as { value: unknown }).value;
  };
  expect(Object.isFrozen(await value('freeze'))).toBe(true);
  expect(Object.isFrozen(await value('share'))).toBe(false);
  expect(kindOf(bytesOf('plain'))).toBe('value');
});
