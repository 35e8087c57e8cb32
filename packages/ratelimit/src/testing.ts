export { storeContract } from './store-contract.ts';
export type { StoreCase } from './store-contract.ts';
