/**
 * The default `User-Agent`. It exists because some firewalls refuse requests without one. `pnpm run version` updates
 * it.
 */
export const userAgent = "effect-gradient/0.0.0"
