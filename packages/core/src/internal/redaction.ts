/**
 * Keeps secrets out of errors: headers by their names, texts by the secrets that the request sent.
 */
import type * as Headers from "effect/http/Headers"

/** Secrets can be in any header that was added, so more names are redacted than usual. */
export const secretName = /auth|cookie|key|secret|token|credential|signature/i

/** Takes out of a text what was sent as a secret: some services repeat a key that they refuse. */
export const concealing = (sent: Headers.Headers) => {
  const secrets = Object.entries(sent)
    .filter(([name]) => secretName.test(name) && name !== "idempotency-key")
    .map(([, value]) => value.replace(/^\w+ /, ""))
    .filter(({ length }) => length > 7) // A shorter one stands in texts by chance.
  return (text: string) => secrets.reduce((shown, secret) => shown.replaceAll(secret, "***"), text)
}
