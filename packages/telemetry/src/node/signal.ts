/** One running part of the SDK: what the rest needs to know of it. */
export interface RunningSignal {
  /** For `describe()`. */
  readonly description: string;
  flush(): Promise<void>;
  shutdown(): Promise<void>;
  /** Takes the provider out of the global API, also when `shutdown` did not end in time. */
  unregister(): void;
}
