/**
 * Checks a base URL.
 */
import * as Url from "effect/http/Url"
import * as UrlParams from "effect/http/UrlParams"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Server } from "../attempt/attemptModels.ts"
import { show } from "../issue.ts"
import { type Checked, refuse } from "./checked.ts"

/** Makes a URL from a path below the base URL. */
export type ToUrl = (path: string) => string

/** A scheme other than http and https. A URL without a scheme is allowed: in a page, a path is enough. */
const otherScheme = /^(?!https?:)[\w+.-]+:/i
const twoSchemes = /^https?:\/*https?(:|\/\/)/i

/** The rule that a base URL breaks. */
const wrongWith = (url: string): string | undefined => {
  if (twoSchemes.test(url)) return "a URL with one https://"
  if (url.includes("#")) return "a URL without a fragment (#)"
  // Parsed without a path: `http://` followed by a path would be a URL with the path's name as its host.
  const isUrl = Result.isSuccess(Url.make(url, UrlParams.empty, undefined)) && !otherScheme.test(url)
  if (!isUrl) return "a URL of http or https"
  const [, endpoint] = /(\/(?:images\/\w+|chat\/completions))\/*$/i.exec(url.replace(/\?.*$/s, "")) ?? []
  return endpoint && `the address before ${endpoint}, such as https://inference.do-ai.run/v1`
}

const serverParts = /^(https?):\/\/(?:[^/?#]*@)?(?:\[([^\]]+)\]|([^:/?#]+))(?::(\d+))?/i

/** The server of a base URL. Undefined if it is a path, as in a page. */
export const serverOf = (toUrl: ToUrl): Server | undefined => {
  const [, scheme = "", ipv6, host = ipv6, port] = serverParts.exec(toUrl("")) ?? []
  if (host === undefined) return undefined
  return { address: host.toLowerCase(), port: Number(port ?? (scheme.length > 4 ? 443 : 80)) }
}

/**
 * Checks a base URL. Its query is appended to the path of each request. An issue shows neither passwords nor secrets of
 * the query.
 */
export const baseUrl = (param: string, value: string): Checked<ToUrl> => {
  if (!Predicate.isString(value)) return refuse(param, "a URL of http or https", show(value))
  const url = value.trim()
  const allowed = wrongWith(url)
  if (allowed !== undefined) return refuse(param, allowed, JSON.stringify(UrlParams.redactUrl(url).slice(0, 200)))
  const [, address = "", query = ""] = /^([^?]*)(.*)$/s.exec(url) ?? []
  const base = address.replace(/\/+$/, "")
  return Result.succeed((path) => `${base}${path}${query}`)
}
