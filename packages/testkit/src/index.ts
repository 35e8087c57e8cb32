export { fixed, logNormal, uniform } from './distribution.ts';
export type { Distribution, LogNormalOptions } from './distribution.ts';
export { RecordingError, VirtualClockError } from './errors.ts';
export type { RecordingErrorCode, VirtualClockErrorCode } from './errors.ts';
export { gzipBomb, latency, respond, slow, trickle, wrongContentLength } from './response-faults.ts';
export type { GzipBombOptions, RespondOptions, TrickleOptions, WrongContentLengthOptions } from './response-faults.ts';
export {
  blackHole,
  closeKeepAlive,
  garbage,
  hang,
  refuse,
  resetAfterHeaders,
  resetBeforeHeaders,
  resetMidBody,
  stallMidBody,
} from './connection-faults.ts';
export type { PartOfBodyOptions } from './connection-faults.ts';
export type { FaultExchange, ReceivedRequest } from './fault-exchange.ts';
export type { FaultResponse, WireResponse } from './wire-response.ts';
export { startFaultProxy } from './fault-proxy.ts';
export type { FaultProxy, FaultProxyOptions, FaultProxyStats } from './fault-proxy.ts';
export type { FaultRule, RequestRange, TimeWindow } from './fault-script.ts';
export { startFaultServer } from './fault-server.ts';
export type { FaultServer, FaultServerOptions, FaultServerStats } from './fault-server.ts';
export type { Fault, FaultEffect } from './fault.ts';
export { policyContract } from './policy-contract.ts';
export type { ContractCase, ContractPolicy, PolicyContractOptions, PolicyContractTools } from './contract-case.ts';
export type { ProxyConditions, ProxyLink } from './proxy-conditions.ts';
export { createRecorder } from './recorder.ts';
export type { Recorder, RecorderOptions } from './recorder.ts';
export type {
  RecorderController,
  RecorderDispatcher,
  RecorderHandler,
  RecorderRequest,
} from './recorder-dispatcher.ts';
export type { RecordedBody, RecordedExchange, RecordedRequest, RecordedResponse } from './recording.ts';
export type { RedactOptions } from './redaction.ts';
export { seededRandom } from './seeded-random.ts';
export type { SeededRandom } from './seeded-random.ts';
export { burstArrivals, constantArrivals, poissonArrivals } from './simulation/arrivals.ts';
export type { Arrivals, BurstOptions, RateOptions, Spike } from './simulation/arrivals.ts';
export { SimulatedFailure } from './simulation/exchange.ts';
export type { FailureReason } from './simulation/exchange.ts';
export type {
  BlackHoleFault,
  DownFault,
  ErrorFault,
  FaultSpan,
  RestartFault,
  ServerFault,
  SlowFault,
} from './simulation/server-fault.ts';
export { simulate } from './simulation/simulate.ts';
export { noPolicy } from './simulation/simulated-policy.ts';
export type { MakePolicy, PolicyContext, SimulatedAttempt, SimulatedPolicy } from './simulation/simulated-policy.ts';
export type { SimulatedClient, SimulatedService, SimulateOptions } from './simulation/simulation-options.ts';
export type {
  LatencySummary,
  ServiceResult,
  SimulationResult,
  SimulationWindow,
  SuccessCount,
} from './simulation/simulation-result.ts';
export { virtualClock } from './virtual-clock.ts';
export type { RunUntilOptions, VirtualClock, VirtualClockOptions } from './virtual-clock.ts';
export { useVirtualGlobals } from './virtual-globals.ts';
