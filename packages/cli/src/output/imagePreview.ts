/** Reads the dimensions of images, and shows images on a terminal. */
import type { GeneratedImage } from "@effect-gradient/core"
import { TerminalCapabilities } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import process from "node:process"

// The image libraries are loaded with the first image, so that help and errors of wrong usage do not wait for them.
const loadSharp = async () => (await import("sharp")).default

/** Returns the width and height of an image in pixels, or nothing if sharp cannot read the image. */
export const dimensions = ({ bytes }: GeneratedImage.ImageBytes) =>
  Effect.tryPromise(async () => (await loadSharp())(bytes).metadata()).pipe(
    Effect.map(({ height, width }) => ({ width, height })),
    Effect.option // sharp fails on a format that it does not know. The image is used nevertheless.
  )

/** A size, counted in characters of the terminal. */
interface Cells {
  readonly columns: number
  readonly rows: number
}

const screen = (): Cells => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 })

/**
 * Returns the size at which the image fills most of the screen's width or height. It is assumed that a character is
 * twice as high as it is wide.
 */
const fit = ({ height, width }: { readonly height: number; readonly width: number }): Cells => {
  const { columns, rows } = screen()
  const most = { columns: Math.max(1, columns - 2), rows: Math.max(1, Math.min(Math.floor(rows * 0.8), rows - 4)) }
  const scale = Math.min(most.columns / width, (most.rows * 2) / height)
  return {
    columns: Math.max(1, Math.round(width * scale)),
    rows: Math.max(1, Math.round((height * scale) / 2))
  }
}

/**
 * Whether tmux or screen is in use. They inherit the variables of the terminal in which they run, but do not pass its
 * codes for images on to it.
 */
const isMultiplexed = Config.all({
  tmux: Config.option(Config.String("TMUX")),
  screen: Config.option(Config.String("STY")),
  term: Config.withDefault(Config.String("TERM"), "")
}).pipe(
  Effect.map(({ screen: sty, term, tmux }) => Option.isSome(tmux) || Option.isSome(sty) || /^(screen|tmux)/.test(term)),
  Effect.orElseSucceed(() => false)
)

/** Makes an image small enough for a terminal, and converts it to PNG, which the library terminal-image can read. */
const preview = async (bytes: Uint8Array) => {
  const sharp = await loadSharp()
  const resized = sharp(bytes).resize(1024, 1024, { fit: "inside", withoutEnlargement: true })
  const { data, info } = await resized.png().toBuffer({ resolveWithObject: true })
  return { data, cells: fit(info) }
}

/** The last image: its size, the lines that it and its caption take, and the size of the screen at that time. */
interface Drawn {
  readonly cells: Cells
  readonly lines: number
  readonly screen: Cells
}

const isSame = (one: Cells, other: Cells) => one.columns === other.columns && one.rows === other.rows

/**
 * Returns the codes that move the cursor to where the image `last` begins, so that the next image covers it. They are
 * empty if that is not possible.
 */
const over = (last: Drawn | undefined, cells: Cells): string => {
  if (last === undefined || !isSame(last.screen, screen()) || last.lines >= last.screen.rows) return ""
  const up = `\u001B[${last.lines}A\r`
  return isSame(last.cells, cells) ? up : `${up}\u001B[J`
}

const clearBelow = "\u001B[J"

/**
 * Shows images on standard output if they are wanted and it is a terminal that can show colours. Captions are printed
 * on standard error in any case.
 */
export interface Gallery {
  /** Shows an image. If `isPartial`, the next image replaces this one on the screen where that is possible. */
  readonly show: (image: GeneratedImage.ImageBytes, caption?: string, isPartial?: boolean) => Effect.Effect<void>
}

/**
 * If `isVisible` is false, only the captions of the images are printed. `canRedraw` must be false if other output can
 * appear between two images. Then no image replaces another one.
 */
export const makeGallery = Effect.fnUntraced(function* (isVisible: boolean, canRedraw: boolean) {
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const preferNativeRender = !(yield* isMultiplexed)
  let last: Drawn | undefined

  const draw = async ({ bytes }: GeneratedImage.ImageBytes, caption: string | undefined, isPartial: boolean) => {
    const [{ default: terminalImage }, { cells, data }] = await Promise.all([import("terminal-image"), preview(bytes)])
    const above = over(last, cells)
    // With Kitty's codes, terminal-image itself writes the image to standard output, so `above` is written before. With
    // other codes it returns them.
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
            return Console.error(`The image (${image.mediaType}) could not be shown on the terminal.`)
          })
        )
      }
      if (caption !== undefined) yield* Console.error(caption)
    })
  }
  return gallery
})
