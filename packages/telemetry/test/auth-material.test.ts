/** What @macadam/auth makes and sends must not pass a log, however it gets into one. */
import { createApiKey, createDpopKey, webhookSigner } from '@macadam/auth';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { spanAttributes } from '../src/index.ts';
import { capture } from './capture.ts';

describe('the logger redacts credentials of @macadam/auth:', () => {
  it.each([undefined, 'acme', 'a', 'averylongprefix0'])('an API key with the prefix %s', (prefix) => {
    for (let i = 0; i < 50; i++) {
      const { key, id } = createApiKey({ ...(prefix !== undefined && { prefix }), environment: 'live' });
      const { log, lines } = capture();
      log.info(
        { note: `used ${key} today`, list: [key], url: `/x?k=${key}`, nested: new Map([['note', key]]) },
        `got ${key}`,
      );
      log.error(new Error(`refused ${key}`));
      log.info('said %s', key);
      const secret = key.slice(key.lastIndexOf('_') + 1);
      for (const line of lines) {
        expect(line).not.toContain(secret);
        expect(line).not.toContain(secret.slice(0, 24));
      }
      expect(lines[0]).toContain('[redacted]');
      // The id identifies a key and is not secret. By chance it may contain what a JSON Web Token begins with: that is redacted
      // in the middle of a word, too, since a token may follow an encoded `=`, as in `token%3DeyJ…`.
      log.info(`the key ${id}`);
      expect(lines.at(-1)).toContain(`the key ${id.replace(/eyJ\w{6,}/, '[redacted]')}`);
    }
  });

  it.each([
    ['Bearer', 'Bearer S3cretOpaqueToken'],
    ['DPoP', 'DPoP S3cretOpaqueToken'],
    ['Basic', `Basic ${btoa('orders:S3cretOpaqueToken')}`],
  ])('an authorization header, %s', (_name, header) => {
    const { log, lines } = capture();
    log.info({ headers: { authorization: header }, raw: ['Authorization', header], note: header }, header);
    log.error(new Error(`401 for ${header}`));
    for (const line of lines) {
      expect(line).not.toContain('S3cretOpaqueToken');
      expect(line).not.toContain(btoa('orders:S3cretOpaqueToken'));
    }
  });

  it('a DPoP proof and the secret of a webhook', async () => {
    const key = createDpopKey();
    const proof = await key.proof({ method: 'GET', url: 'https://api.internal/x' });
    const secret = `whsec_${btoa('0123456789abcdef0123456789abcdef')}`;
    expect(() => webhookSigner({ secrets: [secret] })).not.toThrow();
    const { log, lines } = capture();
    log.info({ headers: { dpop: proof }, note: `proof ${proof}`, config: { text: secret } }, `${proof} ${secret}`);
    const [, payload = '', signature = ''] = proof.split('.');
    for (const text of [payload, signature, secret.slice(6)]) expect(lines.join()).not.toContain(text);
  });

  it('the private members of a JSON Web Key, but not the public ones', () => {
    const { d, ...rest } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
    const jwk = { d, ...rest };
    const { log, lines } = capture();
    log.info(jwk);
    log.info({ keys: [jwk], map: new Map(Object.entries(jwk)), made: { toJSON: () => jwk } }, JSON.stringify(jwk));
    log.error(Object.assign(new Error(`not usable: ${JSON.stringify(jwk)}`), { jwk }, jwk));
    lines.push(JSON.stringify(spanAttributes({ jwk })));
    for (const line of lines) {
      expect(line).not.toContain(d);
      expect(line).toContain(rest.x);
    }
    log.info({ d: 'elsewhere', k: 'a letter' });
    expect(lines.at(-1)).toContain('"d":"elsewhere","k":"a letter"');
  });

  it('the value after the name of an option or a header in a flat list', () => {
    const { log, last } = capture();
    log.info({ argv: ['mysql', '--password', 'C4nary', '-h', 'db'], raw: ['X-Auth-Token', 'C4nary', 'Accept', 'x'] });
    expect(last()).toMatchObject({
      argv: ['mysql', '--password', '[redacted]', '-h', 'db'],
      raw: ['X-Auth-Token', '[redacted]', 'Accept', 'x'],
    });
  });

  it('the value of an entry with its name in another field', () => {
    const { log, last, lines } = capture();
    log.info({
      headers: [{ name: 'Cookie', value: 'C4nary' }],
      env: [{ key: 'DB_PASSWORD', value: 'C4nary' }],
      value: 5,
    });
    expect(last()).toMatchObject({ headers: [{ name: 'Cookie', value: '[redacted]' }], value: 5 });
    log.info({ plan: { name: 'pro', value: 'shown' } });
    expect(last()).toMatchObject({ plan: { value: 'shown' } });
    lines.push(JSON.stringify(spanAttributes({ header: { name: 'Cookie', value: 'C4nary' } })));
    expect(lines.join()).not.toContain('C4nary');
  });
});
