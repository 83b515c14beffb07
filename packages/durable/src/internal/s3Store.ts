/**
 * The store in an S3 bucket. The library `aws4fetch` signs the requests, and Effect's `HttpClient` sends them. The
 * bucket is a part of the path (`endpoint/bucket/key`), so it needs no host name of its own.
 */
import { GradientError } from "@effect-gradient/core"
import { AwsV4Signer } from "aws4fetch"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Xml from "effect/encoding/Xml"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { type Entry, StoreFailure } from "./storeModels.ts"

/**
 * Options of a store in S3.
 *
 * @category models
 * @since 0.1.0
 */
export interface S3Options {
  readonly bucket: string
  /** The folder in the bucket that contains all files of the store. Default: the root of the bucket. */
  readonly prefix?: string | undefined
  /** The URL of the service, such as `https://fra1.digitaloceanspaces.com`. Default: the URL of AWS for the region. */
  readonly endpoint?: string | undefined
  /**
   * The region that requests are signed for. Default: `us-east-1`, which DigitalOcean Spaces accepts in each of its
   * regions.
   */
  readonly region?: string | undefined
  /** The id of the access key. It is not a secret, because each request contains it. */
  readonly accessKeyId: string
  readonly secretAccessKey: Redacted.Redacted
  /** The session token, if the credentials are temporary. */
  readonly sessionToken?: Redacted.Redacted | undefined
}

interface Request {
  readonly method: "GET" | "PUT" | "HEAD" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

const requestTimeout = Duration.minutes(2)

/**
 * The schedule of repetitions of a request: at most 8, with growing waits, and none is planned more than 30 seconds
 * after the first failure. A request can be repeated safely, because the repetition changes nothing further.
 */
const whileBusy = Schedule.exponential("200 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 8, duration: "30 seconds" })
)

/** What the error codes of S3 mean for the user. */
const advice = new Map([
  ["NoSuchBucket", "the bucket does not exist"],
  ["InvalidAccessKeyId", "the access key is unknown"],
  ["SignatureDoesNotMatch", "the secret access key is wrong"],
  ["AccessDenied", "the access key has no permission"],
  ["PermanentRedirect", "the bucket is in another region: set the region or the endpoint"],
  ["AuthorizationHeaderMalformed", "the region is wrong"],
  ["RequestTimeTooSkewed", "the clock of this machine is wrong"]
])

/** A temporary failure. */
class Passing {
  readonly failure: StoreFailure
  constructor(failure: StoreFailure) {
    this.failure = failure
  }
}

/** The child elements of the root of an XML document. There are none if the root has another name than `root`. */
const childrenOf = (text: string, root: string) =>
  Stream.make(text).pipe(
    Stream.pipeThroughChannel(Xml.decodeString()),
    Stream.pipeThroughChannel(Xml.elements([root, "*"])),
    Stream.runCollect
  )

/** The child elements of the error in a body. There are none if the body is not an error of S3. */
const errorOf = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(response.text, (text) => childrenOf(text, "Error")).pipe(
    Effect.orElseSucceed((): ReadonlyArray<Xml.Element> => [])
  )

const textOf = ({ children }: Xml.Element): string => children.filter((child) => typeof child === "string").join("")

const textIn = (elements: ReadonlyArray<Xml.Element | string>, name: string): string | undefined => {
  const found = elements.find((element) => typeof element !== "string" && element.name === name)
  return found === undefined || typeof found === "string" ? undefined : textOf(found)
}

const encodePath = (path: string) => path.split("/").map(encodeURIComponent).join("/")

const sha256 = (bytes: Uint8Array) =>
  Effect.map(
    Effect.promise(() => crypto.subtle.digest("SHA-256", new Uint8Array(bytes))),
    (digest) => Hex.encode(new Uint8Array(digest))
  )

const nothing = new Uint8Array()

const bytesOf = ({ arrayBuffer }: HttpClientResponse.HttpClientResponse) =>
  Effect.map(arrayBuffer, (buffer) => new Uint8Array(buffer))

class Bucket {
  readonly #options: S3Options
  readonly #client: HttpClient.HttpClient
  readonly #url: string
  readonly #prefix: string

  constructor(options: S3Options, client: HttpClient.HttpClient) {
    const { bucket, endpoint, prefix = "", region } = options
    this.#options = options
    this.#client = client
    const service = endpoint ?? `https://s3.${region ?? "us-east-1"}.amazonaws.com`
    this.#url = `${service.replace(/\/+$/, "")}/${encodeURIComponent(bucket)}`
    this.#prefix = prefix.replace(/^\/+|\/+$/g, "")
  }

  #key(path: string): string {
    return [this.#prefix, path].filter((part) => part !== "").join("/")
  }

  /** Signs a request. The signature is valid for some minutes. */
  #signed({ body = nothing, headers, method, path, query = {} }: Request) {
    const { accessKeyId, region, secretAccessKey, sessionToken } = this.#options
    const url = new URL(`${this.#url}${path === "" ? "" : `/${encodePath(path)}`}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return Effect.flatMap(sha256(body), (digest) =>
      Effect.promise(() =>
        new AwsV4Signer({
          url: url.href,
          method,
          headers: { ...headers, "x-amz-content-sha256": digest },
          accessKeyId,
          secretAccessKey: Redacted.value(secretAccessKey),
          ...(sessionToken && { sessionToken: Redacted.value(sessionToken) }),
          service: "s3",
          region: region ?? "us-east-1"
        }).sign()
      )
    )
  }

  #failure(request: Request, what: string, cause: unknown) {
    const { bucket } = this.#options
    return new StoreFailure({
      message: `The bucket ${bucket} failed to ${request.method} ${request.path}: ${what}`,
      cause
    })
  }

  /**
   * Makes the failure for an error status, with our advice or the service's message. `isPassing` is true if the failure
   * may be temporary.
   */
  #refusal(request: Request, response: HttpClientResponse.HttpClientResponse) {
    return Effect.map(errorOf(response), (elements) => {
      const code = textIn(elements, "Code") ?? ""
      const words = [advice.get(code) ?? textIn(elements, "Message"), code].filter(Boolean).join(", ")
      const failure = this.#failure(request, `${response.status} ${words}`.trim(), undefined)
      const isPassing = response.status >= 500 || response.status === 429 || code === "ConditionalRequestConflict"
      return { code, failure, isPassing }
    })
  }

  /**
   * Sends a request once. A status from 300 on is a failure, unless `allowed` contains it. A failure of `read` is
   * temporary, unless it is a `StoreFailure`.
   */
  #sendOnce<A>(
    request: Request,
    allowed: ReadonlyArray<number>,
    read: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, unknown>
  ): Effect.Effect<A, StoreFailure | Passing> {
    const passing = (cause: unknown) => new Passing(this.#failure(request, String(cause), cause))
    return Effect.gen({ self: this }, function* () {
      const { headers, method, url } = yield* this.#signed(request)
      const sent = HttpClientRequest.make(request.method)(url.href, {
        headers: Object.fromEntries(headers),
        ...(method === "PUT" && { body: HttpBody.uint8Array(request.body ?? nothing, "application/octet-stream") })
      })
      const response = yield* Effect.mapError(this.#client.execute(sent), passing)
      if (response.status < 300 || allowed.includes(response.status)) {
        return yield* Effect.mapError(read(response), (cause) =>
          cause instanceof StoreFailure ? cause : passing(cause)
        )
      }
      const { failure, isPassing } = yield* this.#refusal(request, response)
      return yield* Effect.fail(isPassing ? new Passing(failure) : failure)
    }).pipe(
      Effect.scoped,
      Effect.timeoutOrElse({ duration: requestTimeout, orElse: () => Effect.fail(passing("no whole answer in time")) })
    )
  }

  send<A>(
    request: Request,
    allowed: ReadonlyArray<number>,
    read: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, unknown>
  ): Effect.Effect<A, StoreFailure> {
    return this.#sendOnce(request, allowed, read).pipe(
      Effect.retry({ while: (failure) => failure instanceof Passing, schedule: whileBusy }),
      Effect.mapError((failure) => (failure instanceof Passing ? failure.failure : failure))
    )
  }

  /** Writes an object. The status 412 is a success: the object already exists, and is not overwritten. */
  put(path: string, body: Uint8Array) {
    return this.send(
      { method: "PUT", path: this.#key(path), body, headers: { "if-none-match": "*" } },
      [412],
      () => Effect.void
    )
  }

  /**
   * Sends a request for an object. Returns `None` if the object does not exist. Fails if the bucket does not exist,
   * which the service reports as a 404 too, because a missing bucket does not show that the object was never written.
   */
  #found<A>(
    request: Request,
    allowed: ReadonlyArray<number>,
    read: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, unknown>
  ): Effect.Effect<Option.Option<A>, StoreFailure> {
    return this.send(request, [404, ...allowed], (response) =>
      response.status === 404
        ? Effect.flatMap(this.#refusal(request, response), ({ code, failure }) =>
            code === "NoSuchBucket" ? Effect.fail(failure) : Effect.succeed(Option.none<A>())
          )
        : Effect.map(read(response), Option.some)
    )
  }

  get(path: string) {
    return this.#found({ method: "GET", path: this.#key(path) }, [], bytesOf)
  }

  /**
   * Reads a part of an object. The status 416 means that `start` is at or after the end of the object. A server that
   * does not support ranges replies 200 with the whole object.
   */
  read(path: string, start: number, length: number) {
    const headers = { range: `bytes=${start}-${start + length - 1}` }
    return this.#found({ method: "GET", path: this.#key(path), headers }, [416], (response) =>
      response.status === 416
        ? Effect.succeed(nothing)
        : Effect.map(bytesOf(response), (bytes) =>
            response.status === 206 ? bytes : bytes.slice(start, start + length)
          )
    )
  }

  head(path: string): Effect.Effect<Option.Option<Entry>, StoreFailure> {
    return this.send({ method: "HEAD", path: this.#key(path) }, [404], (response) =>
      Effect.succeed(
        response.status === 404
          ? Option.none()
          : Option.some({ path, size: Number(response.headers["content-length"] ?? 0) })
      )
    )
  }

  /** Lists one page of the objects whose keys begin with this prefix. */
  #page(prefix: string, token: string | undefined) {
    const query = {
      "list-type": "2",
      prefix,
      ...(token !== undefined && { "continuation-token": token })
    }
    return this.send({ method: "GET", path: "", query }, [], (response) =>
      Effect.flatMap(
        Effect.flatMap(response.text, (text) => childrenOf(text, "ListBucketResult")),
        (elements) => {
          const [isTruncated, next] = [textIn(elements, "IsTruncated"), textIn(elements, "NextContinuationToken")]
          // The reply may come from a proxy and be an HTML page. If that were read as an empty list, images that are in
          // the store would be paid for again.
          if (isTruncated === undefined || (isTruncated === "true" && next === undefined)) {
            return Effect.fail("the reply is not a complete list of objects")
          }
          const entries = elements
            .filter(({ name }) => name === "Contents")
            .map(({ children }) => ({ key: textIn(children, "Key") ?? "", size: Number(textIn(children, "Size")) }))
          return Effect.succeed([entries, Option.fromNullishOr(isTruncated === "true" ? next : undefined)] as const)
        }
      )
    )
  }

  list(folder: string): Stream.Stream<Entry, StoreFailure> {
    const start = this.#prefix === "" ? 0 : this.#prefix.length + 1
    const key = this.#key(folder)
    const pages = Stream.paginate<string | undefined, { readonly key: string; readonly size: number }, StoreFailure>(
      undefined,
      (token) => this.#page(key === "" ? "" : `${key}/`, token)
    )
    return Stream.map(pages, (object) => ({ path: object.key.slice(start), size: object.size }))
  }

  /** Removes this object, and all objects in the folder of this name. */
  remove(path: string): Effect.Effect<void, StoreFailure> {
    const remove = (one: string) => this.send({ method: "DELETE", path: this.#key(one) }, [404], () => Effect.void)
    return this.list(path).pipe(
      Stream.runForEach((entry) => remove(entry.path)),
      Effect.andThen(path === "" ? Effect.void : remove(path))
    )
  }

  /**
   * Fails if the bucket cannot be read. It lists a folder that the store does not use, because a list of the whole
   * bucket would take longer.
   */
  get check(): Effect.Effect<void, StoreFailure> {
    return Effect.asVoid(this.#page(`${this.#key("none")}/`, undefined))
  }
}

const refuse = (description: string, cause?: unknown) =>
  GradientError.fromReason(new GradientError.InvalidParamsError({ description, cause }))

/** Makes a store in this bucket, which must exist. */
export const makeS3 = Effect.fnUntraced(function* (options: S3Options) {
  const { accessKeyId, bucket, endpoint, secretAccessKey } = options
  if (bucket === "" || bucket.includes("/")) {
    return yield* refuse(`The bucket of the store must be a name without a slash (got "${bucket}")`)
  }
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    return yield* refuse(`The endpoint of the store must be an http or https URL (got ${endpoint})`)
  }
  if (accessKeyId === "" || Redacted.value(secretAccessKey) === "") {
    return yield* refuse("The store needs an access key and its secret")
  }
  const store = new Bucket(options, yield* HttpClient.HttpClient)
  yield* Effect.catch(store.check, (failure) => refuse(`The store cannot be used. ${failure.message}`, failure))
  return {
    put: (path: string, bytes: Uint8Array) => store.put(path, bytes),
    get: (path: string) => store.get(path),
    read: (path: string, start: number, length: number) => store.read(path, start, length),
    head: (path: string) => store.head(path),
    list: (folder: string) => store.list(folder),
    remove: (path: string) => store.remove(path)
  }
})
