/** A probe may take an attempt of the default length (10 s) and a second before its place is given to another. */
export const DEFAULT_PROBE_LEASE_MS = 11_000;
