import type { Component } from './component.ts';
import { componentValue, type ReadMessage } from './component-value.ts';
import { type FieldParameters, writeInnerList } from './structured-fields.ts';

/** What is signed (RFC 9421 section 2.5), or the component that the message does not have. */
export type SignatureBase =
  { readonly bytes: Buffer; readonly input: string; readonly missing?: undefined } | { readonly missing: Component };

/** `input` is the value of the `Signature-Input` member, and the last line of what is signed. */
export function signatureBase(
  components: readonly Component[],
  parameters: FieldParameters,
  read: ReadMessage,
): SignatureBase {
  let lines = '';
  for (const component of components) {
    const value = componentValue(component, read);
    if (value === undefined) return { missing: component };
    lines += `${component.text}: ${value}\n`;
  }
  const input = writeInnerList([components.map(({ name, parameters: own }) => [name, own]), parameters]);
  return { bytes: Buffer.from(`${lines}"@signature-params": ${input}`, 'latin1'), input };
}
