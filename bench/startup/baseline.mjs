/**
 * The modules of other packages that the README's first program loads: it imports NodeRuntime and `effect` itself, and
 * the library loads the rest.
 */
import "@effect/platform-node/NodeFileSystem"
import "@effect/platform-node/NodePath"
import "@effect/platform-node/NodeRuntime"
import "@effect/platform-node/NodeStream"
import "@effect/platform-node/Undici"
import "effect"
import "effect/http/HttpClient"
import "effect/http/HttpClientRequest"
import "effect/http/HttpClientResponse"
