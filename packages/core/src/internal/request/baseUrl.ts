/**
 * Checks a base URL.
 */
import * as Url from "effect/http/Url"
import * as UrlParams from "effect/http/UrlParams"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Server } from "../attempt/attemptModels.ts"
import { show } from "../issue.ts"
import { redactUrl } from "../redaction.ts"
import { type Checked, refuse } from "./checked.ts"

/** Makes the URL of a path below the base URL. */
export type ToUrl = (path: string) => string

/**
 * Matches a scheme other than http and https. It does not match a URL without a scheme, because a path is enough in a
 * web page.
 */
const otherScheme = /^(?!https?:)[\w+.-]+:/i
const twoSchemes = /^https?:\/*https?(:|\/\/)/i

/** What a base URL must be, if this one breaks a rule. `undefined` if it breaks none. */
const wrongWith = (url: string): string | undefined => {
  if (twoSchemes.test(url)) return "a URL with https:// or http:// only once"
  if (url.includes("#")) return "a URL without a fragment (#)"
  // The URL is parsed without the path of a request. With such a path, `http://` would be accepted: the first part of
  // the path would be taken as the host.
  const isUrl = Result.isSuccess(Url.make(url, UrlParams.empty, undefined)) && !otherScheme.test(url)
  if (!isUrl) return "a URL of http or https"
  const [, endpoint] = /(\/(?:images\/\w+|chat\/completions))\/*$/i.exec(url.replace(/\?.*$/s, "")) ?? []
  return endpoint && `the address before ${endpoint}, such as https://inference.do-ai.run/v1`
}

const serverParts = /^(https?):\/\/(?:[^/?#]*@)?(?:\[([^\]]+)\]|([^:/?#]+))(?::(\d+))?/i

/** The host and port of a base URL. `undefined` if the base URL has no scheme, as it can be in a web page. */
export const serverOf = (toUrl: ToUrl): Server | undefined => {
  const [, scheme = "", ipv6, host = ipv6, port] = serverParts.exec(toUrl("")) ?? []
  if (host === undefined) return undefined
  return { address: host.toLowerCase(), port: Number(port ?? (scheme.length > 4 ? 443 : 80)) }
}

/**
 * Removes everything between the schemes and the last `@`. In a URL that cannot be used, the user and the password may
 * follow a second scheme or none, and may contain any character. If the `@` belongs to the path, a part of the address
 * is removed too.
 */
const withoutUser = (url: string): string => url.replace(/^((?:https?:[/\\]*|[a-z][\w+.-]*:\/\/)*)[^]*@/i, "$1")

/**
 * Checks a base URL. Returns a function that appends a path and then the base URL's query. If the check fails, the
 * issue shows the start of the URL, without the user, the password, and the values of query params whose names suggest
 * a secret.
 */
export const baseUrl = (param: string, value: string): Checked<ToUrl> => {
  if (!Predicate.isString(value)) return refuse(param, "a URL of http or https", show(value))
  const url = value.trim()
  const allowed = wrongWith(url)
  if (allowed !== undefined) {
    return refuse(param, allowed, JSON.stringify(redactUrl(withoutUser(url)).slice(0, 200)))
  }
  const [, address = "", query = ""] = /^([^?]*)(.*)$/s.exec(url) ?? []
  const base = address.replace(/\/+$/, "")
  return Result.succeed((path) => `${base}${path}${query}`)
}
