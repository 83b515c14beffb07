/**
 * The tools of `gradient-images mcp`: generate, list and show. Their results contain the paths of images; those of
 * generate and show also contain links, and images up to a total size, because hosts may cut results at about 1 MB.
 */
import { type GeneratedImage, ImageGenerateParams, Images } from "@effect-gradient/core"
import * as ImageTool from "@effect-gradient/core/ImageTool"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { basename } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { fileSize } from "../output/format.ts"
import * as SharedCalls from "./sharedCalls.ts"
import { generate, type Generated } from "./generateImages.ts"
import type { ImageFolder, ImageFolderError, Listed } from "./ImageFolder.ts"

export interface Options {
  readonly folder: ImageFolder
  /**
   * The maximum size, in bytes, of all images within one result together. Images that could not be written to files are
   * always included, and do not count.
   */
  readonly inline: number
}

type Content = McpSchema.ContentBlock

// ---------------------------------------------------------------------------------------------------------------------
// Params
// ---------------------------------------------------------------------------------------------------------------------

const GenerateParams = Schema.Struct({
  ...ImageTool.Parameters.fields,
  partialImages: Schema.optionalKey(
    Schema.NullOr(Schema.Finite).annotate({
      description:
        "The number of partial images for each image, 1 to 3 with gpt-image models. Each is reported as progress, and costs extra: leave this out unless the user asks for progress."
    })
  )
})

const ListParams = Schema.Struct({
  limit: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })).annotate({
      description: "The maximum number of images to list, 1 to 100. Default: 20."
    })
  )
})

const ShowParams = Schema.Struct({
  image: Schema.String.annotate({
    description: "The path of an image, as list_images shows it, or the name of its file."
  })
})

/** The params of a call cannot be used. `problem` is written for the agent. */
class ParamsError extends Data.TaggedError("ParamsError")<{ readonly problem: string }> {}

type Given = Readonly<Record<string, unknown>>

/**
 * Makes a function that decodes params. If they are invalid, it fails with a message about all that is wrong with them.
 * A param that the tool does not have is also an error.
 */
const readParams = <A>(schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (given: Given) =>
    Effect.mapError(
      decode(given, { errors: "all", onExcessProperty: "error" }),
      ({ message }) => new ParamsError({ problem: `The params are invalid: ${message}` })
    )
}

/** Decodes the params of one call, and checks them by the rules of the core package. */
const readGenerateParams = Effect.fnUntraced(function* (given: Given) {
  const kind = given["partialImages"] == null ? "generate" : "stream"
  const issues = ImageGenerateParams.check(given, kind)
  if (issues.length > 0) {
    return yield* new ParamsError({ problem: `${ImageGenerateParams.renderIssues(issues)}. Nothing was sent.` })
  }
  const { partialImages, ...params } = yield* readParams(GenerateParams)(given)
  return { ...params, partialImages: partialImages ?? undefined }
})

/** Returns the key that all calls with the same params share. The order of the params does not matter. */
const keyOf = (params: ImageGenerateParams.ImageGenerateParamsStreaming) =>
  JSON.stringify(
    Object.entries(params)
      .filter(([, value]) => value !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )

// ---------------------------------------------------------------------------------------------------------------------
// Results
// ---------------------------------------------------------------------------------------------------------------------

const resultOf = (lines: ReadonlyArray<string>, more: ReadonlyArray<Content> = [], isError = false) =>
  new McpSchema.CallToolResult({
    content: [McpSchema.TextContent.make({ text: lines.join("\n") }), ...more],
    isError
  })

const failed = ({ problem }: ParamsError | ImageFolderError) => Effect.succeed(resultOf([problem], [], true))

const uriOf = (path: string) => pathToFileURL(path).href

const linkOf = ({ bytes, location, mediaType }: ImageTool.Reference) =>
  McpSchema.ResourceLink.make({ uri: uriOf(location), name: basename(location), mimeType: mediaType, size: bytes })

const lineOf = ({ bytes, location, mediaType, size }: ImageTool.Reference) =>
  `${location} (${[mediaType, size, fileSize(bytes)].filter(Predicate.isNotUndefined).join(", ")})`

const listLineOf = ({ bytes, modified, path }: Listed) => `${path} (${fileSize(bytes)}, ${modified.toISOString()})`

/**
 * Makes the result with the paths and links of images. An image is also included itself if its file can be read, and
 * if it and those before it that were small enough are within `inline`. Images that could not be written to files are
 * always included.
 */
const imagesResult = Effect.fnUntraced(function* (
  { folder, inline }: Options,
  images: ReadonlyArray<ImageTool.Reference>,
  problems: ReadonlyArray<string> = [],
  unwritten: ReadonlyArray<GeneratedImage.ImageBytes> = []
) {
  const lines = [...problems, ...images.map(lineOf)]
  const contentOf = ({ bytes, mediaType }: GeneratedImage.ImageBytes) =>
    McpSchema.ImageContent.make({ data: bytes, mimeType: mediaType })
  // An image that could not be written to a file is included even if it is large. Otherwise it would be lost.
  const shown: Array<Content> = unwritten.map(contentOf)
  let left = inline
  for (const { bytes, location } of images) {
    if (bytes > left) {
      lines.push(`${basename(location)} is not included, because this result would be too large: open its path.`)
      continue
    }
    left -= bytes
    yield* folder.read(location).pipe(
      Effect.map(({ image }) => void shown.push(contentOf(image))),
      Effect.catch(({ problem }) => Effect.sync(() => void lines.push(problem)))
    )
  }
  return resultOf(lines, [...images.map(linkOf), ...shown], problems.length > 0)
})

// ---------------------------------------------------------------------------------------------------------------------
// Tools
// ---------------------------------------------------------------------------------------------------------------------

const inputSchemaOf = (schema: Schema.Top) =>
  Schema.decodeUnknownSync(McpSchema.ToolJson)(
    Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" }).schema
  )

const generateTool = new McpSchema.Tool({
  name: "generate_image",
  title: "Generate images",
  description:
    "Generates images from a prompt, writes them into files, and returns their paths. " +
    "Each image costs money, and takes from seconds to minutes. " +
    `For ${Duration.format(SharedCalls.memory)} after a call has returned images, a call with the same params gets the same images and costs nothing: to get variations, change the prompt or set n. ` +
    "A call that was cancelled continues: repeat it to get its images. " +
    "The result includes an image itself if its file is small: to see an image yourself, use outputFormat webp or jpeg with outputCompression.",
  inputSchema: inputSchemaOf(GenerateParams),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true }
})

const readOnly = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }

const listTool = new McpSchema.Tool({
  name: "list_images",
  title: "List images",
  description: "Lists the newest images in the folder of this server, with their paths.",
  inputSchema: inputSchemaOf(ListParams),
  annotations: readOnly
})

const showTool = new McpSchema.Tool({
  name: "show_image",
  title: "Show an image",
  description:
    "Returns an image in the folder of this server: its path, media type and size, and the image itself if it is small.",
  inputSchema: inputSchemaOf(ShowParams),
  annotations: readOnly
})

type Server = McpServer.McpServer["Service"]

const isProgressToken = Schema.is(McpSchema.ProgressToken)

/** Sends each report to the host, if the host asked for progress. */
const notify = Effect.fnUntraced(function* ({ notifications }: Server, reports: Stream.Stream<string>) {
  const { requestMetadata } = yield* McpSchema.McpRequestContext
  const progressToken = requestMetadata?.["progressToken"]
  if (!isProgressToken(progressToken)) return
  let progress = 0
  yield* Stream.runForEach(reports, (message) =>
    notifications["notifications/progress"]({ progressToken, progress: ++progress, message })
  )
})

const invalidUri = (message: string) => new McpSchema.InvalidParams({ message })

/** Lets the host read an image by the link that a result contains. */
const addResources = (server: Server, folder: ImageFolder) => {
  const root = uriOf(folder.path)
  return server.addResourceTemplate({
    template: new McpSchema.ResourceTemplate({ uriTemplate: `${root}/{name}`, name: "image" }),
    annotations: Context.empty(),
    // `::` stands for a colon. A single colon, as in `file:`, would begin a param of the route.
    routerPath: `${root.replaceAll(":", "::")}/:name`,
    completions: {},
    handle: (uri) =>
      Effect.try({
        try: () => fileURLToPath(uri),
        catch: () => invalidUri(`${uri} is not the address of a file`)
      }).pipe(
        Effect.flatMap((path) => Effect.mapError(folder.read(path), ({ problem }) => invalidUri(problem))),
        Effect.map(({ image: { bytes, mediaType } }) => ({ contents: [{ uri, mimeType: mediaType, blob: bytes }] }))
      )
  })
}

const makeGenerate = Effect.fnUntraced(function* (server: Server, options: Options) {
  const images = yield* Images.Images
  const calls = yield* SharedCalls.make(({ mayHaveBeenCharged }: Generated) => mayHaveBeenCharged)
  return (given: Given) =>
    Effect.gen(function* () {
      const params = yield* readGenerateParams(given)
      const { outcome, reports } = yield* calls.join(keyOf(params), (report) =>
        Effect.provideService(generate(params, options.folder, report), Images.Images, images)
      )
      yield* notify(server, reports)
      const { images: references, problems, unwritten } = yield* outcome
      return yield* imagesResult(options, references, problems, unwritten)
    }).pipe(Effect.catch(failed))
})

const makeList =
  ({ folder }: Options) =>
  (given: Given) =>
    Effect.gen(function* () {
      const { limit = 20 } = yield* readParams(ListParams)(given)
      const listed = yield* folder.list
      const lines = listed.slice(0, limit).map(listLineOf)
      return resultOf([`${listed.length} ${listed.length === 1 ? "image" : "images"} in ${folder.path}`, ...lines])
    }).pipe(Effect.catch(failed))

const makeShow = (options: Options) => (given: Given) =>
  Effect.gen(function* () {
    const { image: name } = yield* readParams(ShowParams)(given)
    const { image, path } = yield* options.folder.read(name)
    return yield* imagesResult(options, [ImageTool.toReference(image, path)])
  }).pipe(Effect.catch(failed))

/** Registers the tools, and the resources behind the links in their results. */
export const layer = (options: Options): Layer.Layer<never, never, McpServer.McpServer | Images.Images> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* McpServer.McpServer
      const annotations = Context.empty()
      yield* server.addTool({ tool: generateTool, annotations, handle: yield* makeGenerate(server, options) })
      yield* server.addTool({ tool: listTool, annotations, handle: makeList(options) })
      yield* server.addTool({ tool: showTool, annotations, handle: makeShow(options) })
      yield* addResources(server, options.folder)
    })
  )
