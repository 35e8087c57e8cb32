export { memoryTier } from './memory-tier.ts';
export type { MemoryTierOptions } from './memory-tier.ts';
export { tierContract } from './tier-contract.ts';
export type { TierCase } from './tier-contract.ts';
