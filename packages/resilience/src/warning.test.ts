import { expect, it, vi } from 'vitest';
import { emitWarning } from './warning.ts';

const unreadable = 'A callback threw a value that cannot be read';

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

it.each<{ name: string; thrown: () => unknown; warning: string }>([
  { name: 'a number', thrown: () => 7, warning: '7' },
  { name: 'nothing', thrown: () => undefined, warning: 'undefined' },
  { name: 'a symbol', thrown: () => Symbol('s'), warning: 'Symbol(s)' },
  { name: 'an object without a prototype', thrown: () => Object.create(null) as unknown, warning: unreadable },
  { name: 'a revoked proxy', thrown: revokedProxy, warning: unreadable },
])('warns of $name that was thrown', ({ thrown, warning }) => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  emitWarning(thrown());
  expect(warned).toHaveBeenCalledExactlyOnceWith(warning);
});

it('warns of an error as it is', () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const error = new Error('my bug');
  emitWarning(error);
  expect(warned).toHaveBeenCalledExactlyOnceWith(error);
});
