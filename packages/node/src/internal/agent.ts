/**
 * Makes undici's dispatcher: an Agent, or an EnvHttpProxyAgent if there is a proxy. The options are checked first,
 * because undici would notice a wrong certificate, for example, only at the first request.
 */
import type * as Undici from "@effect/platform-node/Undici"
import { GradientError, ImageGenerateParams } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createPrivateKey, X509Certificate } from "node:crypto"
import * as tls from "node:tls"
import { inspect } from "node:util"
import type { TransportOptions } from "../NodeImages.ts"
import type { Sender } from "./dispatch.ts"

/**
 * The proxy for `http` URLs, the proxy for `https` URLs (if it is missing, undici uses the one for `http`), and the
 * hosts that are reached without a proxy, as in `NO_PROXY`.
 */
export interface Proxies {
  readonly http?: string | undefined
  readonly https?: string | undefined
  readonly except?: string | undefined
}

const invalid = (param: string, allowed: string, given: string) => {
  const issues = [{ param, allowed, given }]
  const description = ImageGenerateParams.renderIssues(issues)
  return GradientError.fromReason(new GradientError.InvalidParamsError({ issues, description }))
}

type Checked<A> = Effect.Effect<A, GradientError.GradientError>

/** Checks the URL of a proxy. Error messages do not contain the URL, because it may contain a password. */
const checkProxy = (param: string, proxy: string): Checked<string> => {
  const url = URL.parse(proxy)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const allowed = "an http or https URL, such as http://user:password@proxy:3128"
    return Effect.fail(invalid(param, allowed, "another text"))
  }
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    return Effect.fail(invalid(param, "a URL without a path, query or fragment", "one with a path, query or fragment"))
  }
  return Effect.try({
    try: () => {
      decodeURIComponent(url.username + url.password)
      return proxy
    },
    catch: () => invalid(param, "a URL with % written as %25 in its user and password", "a % that encodes no character")
  })
}

const checkParses = (param: string, allowed: string, parse: () => unknown): Checked<void> =>
  Effect.try({
    try: () => void parse(),
    catch: (cause) => invalid(param, allowed, cause instanceof Error ? cause.message : String(cause))
  })

const checkTls = Effect.fnUntraced(function* ({ ca, cert, key, passphrase }: NonNullable<TransportOptions["tls"]>) {
  if (ca !== undefined) yield* checkParses("tls.ca", "a PEM certificate", () => new X509Certificate(ca))
  if (cert !== undefined) yield* checkParses("tls.cert", "a PEM certificate", () => new X509Certificate(cert))
  if (key !== undefined) {
    yield* checkParses("tls.key", "a PEM private key, with its tls.passphrase if it has one", () =>
      createPrivateKey({ key, ...(passphrase === undefined ? {} : { passphrase }) })
    )
  }
  yield* checkParses("tls", "a cert and a key that belong together", () =>
    tls.createSecureContext({ cert, key, passphrase })
  )
})

const checkConnectTimeout = (input: Duration.Input): Checked<number> => {
  const millis = Option.map(Duration.fromInput(input), Duration.toMillis)
  return Option.isSome(millis) && millis.value > 0 && millis.value < 2 ** 31
    ? Effect.succeed(Math.ceil(millis.value))
    : Effect.fail(invalid("connectTimeout", "a duration above 0 and below 2^31 ms (24.8 days)", inspect(input)))
}

/** The maximum size of a reply's headers, in bytes. Node's default of 16 KiB is too small for a few large cookies. */
const maxHeaderSize = 256 * 1024

/**
 * Makes the dispatcher. It uses HTTP/1.1 only. Over HTTP/2, a truncated body can look complete, and one broken
 * connection would fail all paid requests on it at once.
 */
export const makeSender = Effect.fnUntraced(function* (
  undici: typeof Undici,
  options: TransportOptions,
  environment: Proxies
) {
  const timeout = yield* checkConnectTimeout(options.connectTimeout ?? "10 seconds")
  if (options.tls !== undefined) yield* checkTls(options.tls)
  const proxies: Proxies = options.proxy === undefined ? environment : { http: options.proxy, https: options.proxy }
  const httpProxy =
    proxies.http && (yield* checkProxy(options.proxy === undefined ? "HTTP_PROXY" : "proxy", proxies.http))
  const httpsProxy =
    proxies.https && (yield* checkProxy(options.proxy === undefined ? "HTTPS_PROXY" : "proxy", proxies.https))

  const ca = options.tls?.ca === undefined ? {} : { ca: [...tls.getCACertificates("default"), options.tls.ca] }
  // If a host has several addresses, Node by default gives up on one too early for a slow network.
  const connecting = { ...ca, timeout, autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(timeout / 4)) }
  const connect = { ...options.tls, ...connecting }
  const agent = { allowH2: false, maxHeaderSize, connect }
  if (!httpProxy && !httpsProxy) {
    return { dispatcher: new undici.Agent(agent), isForwarded: () => false } satisfies Sender
  }
  const dispatcher = new undici.EnvHttpProxyAgent({
    ...agent,
    // These are empty strings and not undefined, because undici would otherwise read the environment variables.
    httpProxy: httpProxy ?? "",
    httpsProxy: httpsProxy ?? "",
    noProxy: proxies.except ?? "",
    requestTls: connect,
    proxyTls: connecting,
    // undici does not pass `maxHeaderSize` and timeouts on to its connections to a proxy, so they are set here. A proxy
    // that does not reply to CONNECT in time counts as a connect timeout.
    factory: (origin, pool) => new undici.Pool(origin, { ...pool, maxHeaderSize }),
    clientFactory: (origin, pool) => new undici.Pool(origin, { ...pool, maxHeaderSize, headersTimeout: timeout })
  })
  // If `NO_PROXY` is set, only undici knows whether a host is reached through the proxy. Then `isForwarded` always
  // returns false.
  const isForwarded = ({ protocol }: URL) => protocol === "http:" && httpProxy !== undefined && !proxies.except
  return { dispatcher, isForwarded } satisfies Sender
})
