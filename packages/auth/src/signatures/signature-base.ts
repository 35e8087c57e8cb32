import type { Component } from './component.ts';
import { componentValue, type ParsedMessage } from './component-value.ts';
import { type FieldParameters, serializeInnerList } from './structured-fields.ts';

/** The bytes that are signed (RFC 9421 section 2.5), or the component that the message does not have. */
export type SignatureBase = { readonly bytes: Buffer; readonly missing?: undefined } | { readonly missing: Component };

/**
 * The signature parameters (RFC 9421 section 2.3): the member of `Signature-Input`, and the last line of the signature
 * base.
 */
export function serializeSignatureParams(components: readonly Component[], parameters: FieldParameters): string {
  return serializeInnerList([components.map((component) => [component.name, component.parameters]), parameters]);
}

/** Creates the signature base: a line for each component, then `@signature-params`. */
export function signatureBase(
  components: readonly Component[],
  signatureParams: string,
  parsed: ParsedMessage,
): SignatureBase {
  let lines = '';
  for (const component of components) {
    const value = componentValue(component, parsed);
    if (value === undefined) return { missing: component };
    lines += `${component.identifier}: ${value}\n`;
  }
  return { bytes: Buffer.from(`${lines}"@signature-params": ${signatureParams}`, 'latin1') };
}
