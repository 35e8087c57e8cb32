// The shortest program of a user. It must type-check with every supported compiler.
import { isMacadamError } from '@macadam/core';
import { createHttpClient } from '@macadam/http';

export async function invoiceTotal(id: string): Promise<number | undefined> {
  const billing = createHttpClient({ name: 'billing', baseUrl: 'http://billing.internal', timeoutMs: 2_000 });
  try {
    const { data, status } = await billing.get('/invoices/{id}', { params: { id } });
    return status === 200 ? (data as { total: number }).total : undefined;
  } catch (error) {
    if (isMacadamError(error, 'MAC_CIRCUIT_OPEN')) return undefined;
    throw error;
  } finally {
    await billing.close();
  }
}
