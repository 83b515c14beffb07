import * as Url from "effect/http/Url"
import * as UrlParams from "effect/http/UrlParams"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { show } from "../issue.ts"
import { type Checked, refuse } from "./checked.ts"

/** From a path below the base URL to the whole URL. */
export type ToUrl = (path: string) => string

/** In a page, a path alone is a URL as well, so that only other schemes are refused. */
const otherScheme = /^(?!https?:)[\w+.-]+:/i
const twoSchemes = /^https?:\/*https?(:|\/\/)/i

/** What is wrong with a base URL, as what is allowed instead. */
const wrongWith = (url: string): string | undefined => {
  if (twoSchemes.test(url)) return "a URL with one https://"
  if (url.includes("#")) return "a URL without a fragment (#)"
  // The URL is parsed without a path: `http://` and a path would be the URL of a host with the path's name.
  const isUrl = Result.isSuccess(Url.make(url, UrlParams.empty, undefined)) && !otherScheme.test(url)
  if (!isUrl) return "a URL of http or https"
  const [, endpoint] = /(\/(?:images\/\w+|chat\/completions))\/*$/i.exec(url.replace(/\?.*$/s, "")) ?? []
  return endpoint && `the address before ${endpoint}, such as https://inference.do-ai.run/v1`
}

/** The query of a base URL goes behind the path. Passwords and secrets in the query are not shown. */
export const baseUrl = (param: string, given: string): Checked<ToUrl> => {
  if (!Predicate.isString(given)) return refuse(param, "a URL of http or https", show(given))
  const url = given.trim()
  const allowed = wrongWith(url)
  if (allowed !== undefined) return refuse(param, allowed, JSON.stringify(UrlParams.redactUrl(url).slice(0, 200)))
  const [, address = "", query = ""] = /^([^?]*)(.*)$/s.exec(url) ?? []
  const base = address.replace(/\/+$/, "")
  return Result.succeed((path) => `${base}${path}${query}`)
}
