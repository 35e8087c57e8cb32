/** One signal of the running SDK. */
export interface RunningSignal {
  /** For `describe()`. */
  readonly description: string;
  flush(): Promise<void>;
  shutdown(): Promise<void>;
  /** Removes the provider from the global API. Also called if `shutdown` has not ended in time. */
  unregister(): void;
}
