/**
 * The connection of a client on a port. If a fault breaks the connection, the socket is destroyed, which interrupts the
 * request's fiber.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Stream from "effect/Stream"
import { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { BreakKind, Connection } from "./Connection.ts"

/** Writes the text, then calls `end` once everything was sent. */
const afterWriting = (socket: Socket, text: string, end: () => void): void => {
  socket.write(text, () => end())
}

const breaks: { readonly [kind in BreakKind]: (socket: Socket) => void } = {
  refused: (socket) => socket.resetAndDestroy(),
  reset: (socket) => afterWriting(socket, "", () => socket.resetAndDestroy()),
  "reset-within-headers": (socket) =>
    afterWriting(socket, "HTTP/1.1 200 OK\r\ncontent-type: appli", () => socket.resetAndDestroy()),
  "not-http": (socket) => afterWriting(socket, "SSH-2.0-emulator\r\n", () => socket.destroy()),
  closed: (socket) => afterWriting(socket, "", () => socket.destroy())
}

const make = (response: ServerResponse): Connection["Service"] => {
  const breakIt = (kind: BreakKind) =>
    Effect.suspend(() => {
      if (response.socket !== null) breaks[kind](response.socket)
      return Effect.never
    })
  return {
    break: breakIt,
    sendHeaders: Effect.sync(() => response.flushHeaders()),
    withWrongLength: (body, contentLength) =>
      Stream.suspend(() => {
        response.strictContentLength = false
        return contentLength <= body.length
          ? Stream.succeed(body)
          : Stream.concat(Stream.succeed(body), Stream.fromEffectDrain(breakIt("closed")))
      })
  }
}

export const connection = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
  const response = NodeHttpServerRequest.toServerResponse(request)
  return response instanceof ServerResponse
    ? Effect.succeed(make(response))
    : Effect.die("the emulator serves HTTP/1.1 only")
})
