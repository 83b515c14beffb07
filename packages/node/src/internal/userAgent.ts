/** The `User-Agent` of requests without one: some firewalls refuse those. `pnpm run version` writes the version. */
export const userAgent = "effect-gradient/0.0.0"
