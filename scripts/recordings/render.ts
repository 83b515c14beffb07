/**
 * Plays a recording in xterm.js in Chromium, and writes screenshots of it as an animated WebP.
 */
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Page } from "playwright-core"
import sharp from "sharp"
import * as Chromium from "../../packages/browser/test/support/Chromium.ts"
import type { Output, Size } from "./record.ts"

/** Milliseconds. All output of an interval of this length becomes one frame, so that a spinner makes fewer frames. */
const frameTime = 300
/**
 * The longest time that a frame other than the last is shown, in milliseconds, because an installation may take long.
 */
const longestFrameTime = 1500
/** How long the last frame is shown before the recording starts again, in milliseconds. */
const lastFrameTime = 5000

const fileOf = (specifier: string) => fileURLToPath(import.meta.resolve(specifier))

interface Frame {
  readonly at: number
  readonly png: Buffer
}

const fontFace = (family: string, file: string) => {
  const font = readFileSync(fileOf(`dejavu-fonts-ttf/ttf/${file}.ttf`)).toString("base64")
  return `@font-face { font-family: ${family}; src: url(data:font/ttf;base64,${font}) }`
}

/**
 * Opens a page with a terminal of this size. It has two fonts, because the monospaced one lacks the signs of spinners.
 */
const openTerminal = async (page: Page, { columns, rows }: Size) => {
  await page.setContent("<div id='terminal' style='display: inline-block; padding: 12px; background: #0d1117'></div>")
  await page.addStyleTag({ path: fileOf("@xterm/xterm/css/xterm.css") })
  await page.addStyleTag({ content: fontFace("mono", "DejaVuSansMono") + fontFace("signs", "DejaVuSans") })
  await page.addScriptTag({ path: fileOf("@xterm/xterm") })
  await page.evaluate(`Promise.all(["mono", "signs"].map((name) => document.fonts.load("14px " + name, "\u280b"))).then(() => {
    globalThis.terminal = new Terminal({
      cols: ${columns}, rows: ${rows}, fontFamily: "mono, signs", fontSize: 14, cursorInactiveStyle: "none", scrollback: 0,
      theme: { background: "#0d1117", foreground: "#e6edf3" }
    })
    terminal.open(document.getElementById("terminal"))
  })`)
}

/** Writes the bytes to the terminal, and waits until the page shows them. */
const write = (page: Page, bytes: Buffer) =>
  page.evaluate(`new Promise((resolve) =>
    terminal.write(Uint8Array.fromBase64("${bytes.toString("base64")}"), () =>
      requestAnimationFrame(() => requestAnimationFrame(resolve))))`)

/** Joins the outputs that belong to one frame. */
const inFrames = (recording: ReadonlyArray<Output>): ReadonlyArray<Output> => {
  const frames = Map.groupBy(recording, ({ at }) => Math.floor(at / frameTime))
  return Array.from(frames, ([frame, all]) => ({
    at: frame * frameTime,
    bytes: Buffer.concat(all.map(({ bytes }) => bytes))
  }))
}

const play = async (page: Page, recording: ReadonlyArray<Output>, size: Size): Promise<ReadonlyArray<Frame>> => {
  await openTerminal(page, size)
  const frames: Array<Frame> = []
  for (const { at, bytes } of inFrames(recording)) {
    await write(page, bytes)
    frames.push({ at, png: await page.locator("#terminal").screenshot() })
  }
  return frames
}

export const render = async (recording: ReadonlyArray<Output>, size: Size, path: string) => {
  const frames = await Chromium.openPage({ viewport: { width: 1000, height: 1000 } }).pipe(
    Effect.flatMap((page) => Effect.promise(() => play(page, recording, size))),
    Effect.scoped,
    Effect.provide(Chromium.layer),
    Effect.runPromise
  )
  const delay = frames.map(({ at }, i) => {
    const next = frames[i + 1]
    return next === undefined ? lastFrameTime : Math.min(next.at - at, longestFrameTime)
  })
  const images = frames.map(({ png }) => png)
  const { size: bytes } = await sharp(images, { join: { animated: true } })
    .webp({ delay, loop: 0, quality: 70, effort: 6 })
    .toFile(path)
  console.log(`${path}: ${images.length} frames, ${bytes} bytes`)
}
