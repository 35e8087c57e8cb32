/** The lease of a probe: the default timeout of an attempt (10 s) plus a second. Then another probe may take its place. */
export const DEFAULT_PROBE_LEASE_MS = 11_000;
