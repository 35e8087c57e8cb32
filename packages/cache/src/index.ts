export type {
  Cache,
  CacheStats,
  EntryState,
  LoadContext,
  LoadedMany,
  Loader,
  LoaderOfMany,
  LoadManyContext,
  StaleValue,
  WarmOptions,
  WarmResult,
} from './cache.ts';
export type { Codec } from './codec/codec.ts';
export { devalueCodec } from './codec/devalue-codec.ts';
export { messagePackCodec } from './codec/message-pack-codec.ts';
export type { MessagePacker } from './codec/message-pack-codec.ts';
export { createCache } from './create-cache.ts';
export type { Freshness } from './entry.ts';
export { CacheLoaderError, CacheValueError } from './errors.ts';
export type { LoaderReason } from './errors.ts';
export type { Isolation } from './isolation.ts';
export type { Eviction, MemoryOptions } from './memory-options.ts';
export type { CacheOptions, LoadOptions, SetOptions } from './options.ts';
export type { ValueOptions } from './value-options.ts';
export type { EncryptionKey, EncryptionOptions } from './wire/encryption.ts';
export type { SchemaResult, StandardSchema } from './wire/schema.ts';
export type { IoRedisClient, NodeRedisClient, NodeRedisCluster, RedisClient, RedisArgument } from './redis/client.ts';
export { redisTier } from './redis/redis-tier.ts';
export type { RedisTierOptions } from './redis/redis-tier.ts';
export type {
  Coherence,
  Ending,
  Lease,
  TierSpaceOptions,
  Tier,
  TierChange,
  TierMark,
  TierMarks,
  TierRead,
  TierSpace,
} from './tier.ts';
export type { TierStats } from './tier-stats.ts';
