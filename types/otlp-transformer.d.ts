/**
 * Declarations of the messages of OpenTelemetry's protocol, which the package has made from the protocol's .proto files.
 */
declare module "@opentelemetry/otlp-transformer/build/src/generated/root.js" {
  interface Message {
    fromObject(json: unknown): object
    encode(message: object): { finish(): Uint8Array }
    decode(bytes: Uint8Array): object
    toObject(message: object, options: object): unknown
  }
  const root: {
    readonly opentelemetry: {
      readonly proto: {
        readonly collector: {
          readonly trace: { readonly v1: { readonly ExportTraceServiceRequest: Message } }
          readonly metrics: { readonly v1: { readonly ExportMetricsServiceRequest: Message } }
        }
      }
    }
  }
  export default root
}
