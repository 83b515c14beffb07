import type { ImageGenStreamEvent } from "@effect-gradient/core"
import { Option } from "effect"
import { AsyncResult, Atom } from "effect/reactivity"
import { useEffect, useState } from "react"
import { imageAtom, useAtom } from "./atoms.ts"

/**
 * Makes an object URL of the image. It is revoked when another image replaces this one, or when the component is removed.
 */
const useImageUrl = (image: ImageGenStreamEvent.ImageGenStreamEvent | undefined) => {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    const blob = image?.toBlob()
    if (blob === undefined) return setUrl(undefined)
    const made = URL.createObjectURL(blob)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [image])
  return url
}

/**
 * The text for the state of the atom. Cancelling makes the result a failure that has only interrupts as its cause. After a
 * failure, the result still has the last image, if one arrived.
 */
const statusOf = (result: Atom.Type<typeof imageAtom>) => {
  if (result.waiting) return AsyncResult.isSuccess(result) ? "Getting sharper" : "Waiting for the first image"
  if (AsyncResult.isInterrupted(result)) return "Cancelled"
  if (AsyncResult.isFailure(result)) {
    return Option.match(AsyncResult.error(result), { onNone: () => "Failed", onSome: ({ message }) => message })
  }
  return AsyncResult.isSuccess(result) ? "Done" : ""
}

export const ImagePage = () => {
  const [prompt, setPrompt] = useState("A cute baby sea otter")
  const [result, write] = useAtom(imageAtom)
  const url = useImageUrl(Option.getOrUndefined(AsyncResult.value(result)))
  return (
    <main>
      <label>
        Prompt <input value={prompt} onChange={(event) => setPrompt(event.target.value)} />
      </label>
      <button disabled={result.waiting} onClick={() => write({ prompt, partialImages: 3 })}>
        Draw
      </button>
      <button disabled={!result.waiting} onClick={() => write(Atom.Interrupt)}>
        Cancel
      </button>
      <p role="status">{statusOf(result)}</p>
      {url === undefined ? null : <img src={url} alt={prompt} />}
    </main>
  )
}
