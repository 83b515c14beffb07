/** Reads the dimensions of an image, and shows it on a terminal. */
import type { GeneratedImage } from "@effect-gradient/core"
import { TerminalCapabilities } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import process from "node:process"

// The image libraries are loaded with the first image, so that help and wrong usage need not wait for them.
const loadSharp = async () => (await import("sharp")).default

/** Width and height in pixels, if the format is known. */
export const dimensions = ({ bytes }: GeneratedImage.ImageBytes) =>
  Effect.tryPromise(async () => (await loadSharp())(bytes).metadata()).pipe(
    Effect.map(({ height, width }) => ({ width, height })),
    Effect.option // An image is kept even if sharp does not know its format.
  )

/** A size in characters of the terminal. */
interface Cells {
  readonly columns: number
  readonly rows: number
}

const screen = (): Cells => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 })

/** As large as fits and leaves room for a few lines. A character is twice as high as it is wide. */
const fit = ({ height, width }: { readonly height: number; readonly width: number }): Cells => {
  const { columns, rows } = screen()
  const most = { columns: Math.max(1, columns - 2), rows: Math.max(1, Math.min(Math.floor(rows * 0.8), rows - 4)) }
  const scale = Math.min(most.columns / width, (most.rows * 2) / height)
  return {
    columns: Math.max(1, Math.round(width * scale)),
    rows: Math.max(1, Math.round((height * scale) / 2))
  }
}

/** tmux and screen inherit the variables of the terminal around them, but do not pass its image codes through. */
const isMultiplexed = Config.all({
  tmux: Config.option(Config.String("TMUX")),
  screen: Config.option(Config.String("STY")),
  term: Config.withDefault(Config.String("TERM"), "")
}).pipe(
  Effect.map(({ screen: sty, term, tmux }) => Option.isSome(tmux) || Option.isSome(sty) || /^(screen|tmux)/.test(term)),
  Effect.orElseSucceed(() => false)
)

/** Scales an image down to what a terminal can show, and converts it to PNG, which terminal-image reads. */
const preview = async (bytes: Uint8Array) => {
  const sharp = await loadSharp()
  const resized = sharp(bytes).resize(1024, 1024, { fit: "inside", withoutEnlargement: true })
  const { data, info } = await resized.png().toBuffer({ resolveWithObject: true })
  return { data, cells: fit(info) }
}

/** An image that was drawn, and the screen that it was drawn on. */
interface Drawn {
  readonly cells: Cells
  readonly lines: number
  readonly screen: Cells
}

const isSame = (one: Cells, other: Cells) => one.columns === other.columns && one.rows === other.rows

/** Moves the cursor to where `last` began, so that the next image covers it. */
const over = (last: Drawn | undefined, cells: Cells): string => {
  if (last === undefined || !isSame(last.screen, screen()) || last.lines >= last.screen.rows) return ""
  const up = `\u001B[${last.lines}A\r`
  return isSame(last.cells, cells) ? up : `${up}\u001B[J`
}

const clearBelow = "\u001B[J"

/** Shows images on standard output if that is a terminal with colours, with a line about each on standard error. */
export interface Gallery {
  /** Shows an image. If `isPartial`, the next image is drawn over this one. */
  readonly show: (image: GeneratedImage.ImageBytes, caption?: string, isPartial?: boolean) => Effect.Effect<void>
}

/**
 * If `isVisible` is false, only the lines are printed. `canRedraw` is false if other lines can appear between two
 * images. Then no image is drawn over another one.
 */
export const makeGallery = Effect.fnUntraced(function* (isVisible: boolean, canRedraw: boolean) {
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const preferNativeRender = !(yield* isMultiplexed)
  let last: Drawn | undefined

  const draw = async ({ bytes }: GeneratedImage.ImageBytes, caption: string | undefined, isPartial: boolean) => {
    const [{ default: terminalImage }, { cells, data }] = await Promise.all([import("terminal-image"), preview(bytes)])
    const above = over(last, cells)
    // On terminals with codes for images, terminal-image writes the image itself.
    if (preferNativeRender) process.stdout.write(above)
    const options = { width: cells.columns, height: cells.rows, preserveAspectRatio: false, preferNativeRender }
    const text = await terminalImage.buffer(data, options)
    process.stdout.write(`${preferNativeRender ? "" : above}${text}\n${above === "" ? "" : clearBelow}`)
    const captionLines =
      caption === undefined || !process.stderr.isTTY ? 0 : Math.ceil(caption.length / screen().columns)
    last = isPartial && canRedraw ? { cells, lines: cells.rows + captionLines, screen: screen() } : undefined
  }

  const gallery: Gallery = {
    show: Effect.fnUntraced(function* (image, caption, isPartial = false) {
      if (isVisible && canAnimate && canColor) {
        yield* Effect.tryPromise(() => draw(image, caption, isPartial)).pipe(
          Effect.catch(() => {
            last = undefined
            return Console.error(`The terminal cannot show ${image.mediaType}.`)
          })
        )
      }
      if (caption !== undefined) yield* Console.error(caption)
    })
  }
  return gallery
})
