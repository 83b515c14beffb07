/**
 * The default `User-Agent`. It exists because some firewalls refuse requests without one. `pnpm changeset:version`
 * updates the version in it.
 */
export const userAgent = "effect-gradient/0.0.0"
