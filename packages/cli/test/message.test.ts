import { assert, describe, it } from "@effect/vitest"
import { GeneratedImage, GradientError } from "@effect-gradient/core"
import { messageOf } from "../src/output/message.ts"

const image = new GeneratedImage.GeneratedImage({ bytes: new Uint8Array([1]) })

const reasons: ReadonlyArray<GradientError.GradientErrorReason> = [
  ...(["connect", "response", "idle", "deadline"] as const).map(
    (phase) => new GradientError.RequestTimeoutError({ phase })
  ),
  new GradientError.DisconnectedError({ reached: "Accepted" }),
  new GradientError.NotFoundError({ model: "x", description: '"x", from the call\'s `model`' }),
  new GradientError.InvalidResponseError({
    description:
      "an image was sent as a URL; download it soon, because it may expire: https://example.com/1 (and 1 more in the error's `urls`)",
    urls: ["https://example.com/1", "https://example.com/2"]
  }),
  new GradientError.IncompleteStreamError({ images: [image] })
]

describe("the message of a failure", () => {
  it.each(reasons.map((reason) => ({ reason, name: reason.message })))(
    "names flags and commands, and nothing of the library: $name",
    ({ reason }) => {
      const message = messageOf(GradientError.fromReason(reason))
      assert.notInclude(message, "`")
    }
  )

  it("has each address on a line of its own, and not in its first line", () => {
    const [first = "", ...others] = messageOf(
      GradientError.fromReason(
        new GradientError.InvalidResponseError({
          description: "an image was sent as a URL; download it soon, because it may expire: https://example.com/1",
          urls: ["https://example.com/1", "https://example.com/2"]
        })
      )
    ).split("\n")
    assert.notInclude(first, "https://")
    assert.deepStrictEqual(
      others.map((line) => line.split(": ")[1]),
      ["https://example.com/1", "https://example.com/2"]
    )
  })
})
