import type { Component } from './component.ts';
import { componentValue, type ReadMessage } from './component-value.ts';
import { type FieldParameters, writeInnerList } from './structured-fields.ts';

/** What is signed (RFC 9421 section 2.5), or the component that the message does not have. */
export type SignatureBase = { readonly bytes: Buffer; readonly missing?: undefined } | { readonly missing: Component };

/** The value of a `Signature-Input` member, which is also the last line of what is signed. */
export function signatureInput(components: readonly Component[], parameters: FieldParameters): string {
  return writeInnerList([components.map(({ name, parameters: own }) => [name, own]), parameters]);
}

export function signatureBase(components: readonly Component[], input: string, read: ReadMessage): SignatureBase {
  let lines = '';
  for (const component of components) {
    const value = componentValue(component, read);
    if (value === undefined) return { missing: component };
    lines += `${component.text}: ${value}\n`;
  }
  return { bytes: Buffer.from(`${lines}"@signature-params": ${input}`, 'latin1') };
}
