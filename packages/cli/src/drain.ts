import * as Duration from "effect/Duration"

/**
 * The maximum time that a server or a durable call that is being stopped waits for the requests that it has sent. By
 * default, a stream may take 30 minutes, and any other reply 10.
 */
export const drain = Duration.minutes(30)
