import { describe, expect, it } from 'vitest';
import { KeyRules } from './key-rules.ts';

describe('KeyRules.isSensitive', () => {
  const rules = new KeyRules(['houseCode'], ['publicToken']);

  it.each([
    ...['password', 'Password', 'PASSWORD', 'user_password', 'userPassword', 'password2', 'passwd', 'pwd'],
    ...['authorization', 'Authorization', 'proxy-authorization', 'Proxy-Authorization', 'cookie', 'Set-Cookie'],
    ...['api_key', 'apiKey', 'x-api-key', 'X-API-Key', 'clientSecret', 'client_secret', 'accessToken', 'refresh_token'],
    ...['id_token', 'token', 'csrf-token', 'privateKey', 'aws_secret_access_key', 'sessionId', 'session_id', 'pin'],
    ...['cvv', 'ssn', 'cardNumber', 'house-code', 'HOUSE_CODE', 'x-amz-security-token', 'config.password'],
    ...['user[password]', 'passwords[]', 'apiKeys', 'client_secrets', 'accessTokens', 'AccountKey', 'connect.sid'],
  ])('is true for %s', (name) => expect(rules.isSensitive(name)).toBe(true));

  it.each([
    ...['tokens_used', 'maxTokens', 'keyboard', 'author', 'authors', 'authority', 'address', 'secretary', 'opinion'],
    ...['shipping', 'key', 'keys', 'primaryKey', 'nextPageToken', 'publicToken', 'passed', 'bypass', 'company', 'span'],
    ...['tokens', 'promptTokens', 'ids[]', 'accountKeyId'],
    ...['cookieConsent', 'session', 'code', 'status', '__proto__', 'constructor', ''],
  ])('is false for %j', (name) => expect(rules.isSensitive(name)).toBe(false));
});
