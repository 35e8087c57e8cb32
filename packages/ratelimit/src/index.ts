export { concurrency } from './algorithms/concurrency.ts';
export type { ConcurrencyOptions } from './algorithms/concurrency.ts';
export { fixedWindow } from './algorithms/fixed-window.ts';
export type { FixedWindowOptions } from './algorithms/fixed-window.ts';
export type {
  Limit,
  LimitKind,
  LimitOptions,
  PermitLimit,
  ReservableLimit,
  StateNumbers,
  LimitStep,
  MutableDecision,
} from './algorithms/limit.ts';
export { slidingLog } from './algorithms/sliding-log.ts';
export type { SlidingLogOptions } from './algorithms/sliding-log.ts';
export { slidingWindow } from './algorithms/sliding-window.ts';
export type { SlidingWindowOptions } from './algorithms/sliding-window.ts';
export { tokenBucket } from './algorithms/token-bucket.ts';
export type { TokenBucketOptions } from './algorithms/token-bucket.ts';
export { createRateLimiter } from './create-rate-limiter.ts';
export type { Decision, DecisionSource, LimitDecision, PolicyDecision } from './decision.ts';
export { CostAboveCapacityError, RateLimitStoreError, OverloadedError, RateLimitedError } from './errors.ts';
export type { OverloadReason, OverloadSignal } from './errors.ts';
export type { OnStoreFailure, RateLimiterOptions } from './options.ts';
export type {
  CostOptions,
  PeekOptions,
  RateLimiter,
  RateLimiterStats,
  RefundOptions,
  Reservation,
  ReserveOptions,
  WaitOptions,
} from './rate-limiter.ts';
export type { LeaseOptions } from './store/leased-table.ts';
export { memoryStore } from './store/memory-store.ts';
export type { MemoryStoreOptions } from './store/memory-store.ts';
export type {
  TakeRequest,
  Awaitable,
  LimitTable,
  StoreReservation,
  RateLimitStore,
  TableOptions,
  TakeMode,
} from './store/store.ts';
export { takeAll } from './take-all.ts';
export type { Claim, TakeAllResult } from './take-all.ts';
export { clientAddress } from './client-address.ts';
export type { AddressedRequest, ClientAddressOptions } from './client-address.ts';
export { parseRateLimitHeaders } from './headers/parse-rate-limit.ts';
export type { HeaderFields, ParseRateLimitOptions, ServerLimit, ServerLimits } from './headers/parse-rate-limit.ts';
export { rateLimitHeaders } from './headers/rate-limit-headers.ts';
export type { RateLimitHeadersOptions } from './headers/rate-limit-headers.ts';
export { refusalResponse } from './refusal-response.ts';
export type { RefusalResponse } from './refusal-response.ts';
export { createOutboundLimiter } from './outbound/outbound-limiter.ts';
export type { OutboundLimiter, OutboundLimiterStats } from './outbound/outbound-limiter.ts';
export type { OutboundResponse, OutboundLimiterOptions, OutboundTurn, AcquireOptions } from './outbound/options.ts';
export type { IoRedisClient, NodeRedisClient, RedisClient } from './redis/client.ts';
export { redisStore } from './redis/redis-store.ts';
export type { RedisStoreOptions } from './redis/redis-store.ts';
export { createShaper } from './shaper.ts';
export type { ShapedRunOptions, Shaper, ShaperOptions, ShaperStats } from './shaper.ts';
export { createLoadShedder } from './shed/create-load-shedder.ts';
export type { LoadShedder, LoadShedderStats } from './shed/load-shedder.ts';
export type { LoadShedderOptions, ShedRunOptions } from './shed/options.ts';
export type { SignalOptions } from './shed/signals.ts';
