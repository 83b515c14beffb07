/**
 * Makes the reasons with which durable generations fail.
 */
import { GradientError } from "@effect-gradient/core"
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import * as DateTime from "effect/DateTime"
import type { Row } from "./stateMachine.ts"

type Images = GradientError.GradientErrorReason["images"]

interface Failure {
  readonly message: string
  readonly cause: unknown
}

/** The reason for a failure of the journal before the request was sent. */
export const journalBefore = ({ cause, message }: Failure): GradientError.JournalError =>
  new GradientError.JournalError({ phase: "before", reached: "NotSent", description: message, cause })

export const journalAfter = ({ cause, message }: Failure, images: Images): GradientError.JournalError =>
  new GradientError.JournalError({ phase: "after", reached: "Accepted", description: message, cause, images })

/** The reason for a failure of the store before the request was sent. */
export const storeBefore = ({ cause, message }: Failure): GradientError.StoreError =>
  new GradientError.StoreError({ phase: "before", reached: "NotSent", description: message, cause })

/** The reason if the store does not have the images of a generation that is done. A retry cannot help. */
export const imagesLost = (message: string): GradientError.StoreError =>
  new GradientError.StoreError({
    phase: "before",
    reached: "NotSent",
    code: ErrorBody.codes.imagesLost,
    description: message
  })

export const storeAfter = ({ cause, message }: Failure, images: Images): GradientError.StoreError =>
  new GradientError.StoreError({ phase: "after", reached: "Accepted", description: message, cause, images })

export const inDoubt = (
  key: string,
  { attempt, note, sentAt, state }: Pick<Row, "attempt" | "note" | "sentAt" | "state">,
  images: Images = []
) =>
  new GradientError.InDoubtError({
    key,
    attempt,
    since: DateTime.makeUnsafe(sentAt),
    abandoned: state === "abandoned",
    description: note,
    images
  })

/** A conflict with `shouldRetry: false`, so that the call is not retried automatically. */
export const conflict = (description: string, code?: string): GradientError.ConflictError =>
  new GradientError.ConflictError({ reached: "NotSent", shouldRetry: false, description, code })

export const keyReusedCode = "idempotency_key_reused"

export const keyReused = () =>
  conflict(
    "the idempotency key belongs to a generation with other params or another `extraBody`. Nothing was sent. " +
      "Use another key or the params of that generation, or remove that generation with `DurableImages.forget`",
    keyReusedCode
  )

/** The failure of `join` if the key has no generation, or one that is `free`. */
export const unknown = () =>
  new GradientError.NotFoundError({
    reached: "NotSent",
    code: ErrorBody.codes.notFound,
    description: "ask for the images again"
  })

/** The reason of a call that has sent nothing and ends because the layer is closing. */
export const closing = () => journalBefore({ message: "the layer is closing", cause: undefined })
