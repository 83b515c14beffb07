import { Reconnect } from "@effect-gradient/browser"
import { Effect } from "effect"

/**
 * Shows in the element `note` that the connection broke and the call reconnects. Use it as `Images.generate({ prompt
 * }).pipe(showReconnecting(note))`.
 */
export const showReconnecting = (note: HTMLElement) =>
  Effect.provideService(Reconnect.OnReconnect, ({ attempt }) =>
    Effect.sync(() => {
      note.textContent = `The connection broke: reconnecting (attempt ${attempt})`
    })
  )
