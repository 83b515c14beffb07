/**
 * Declarations of the part of the parser's result that tests use. For a histogram, `buckets` has its counts.
 */
declare module "parse-prometheus-text-format" {
  interface Sample {
    readonly value?: string
    readonly buckets?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
  }
  interface Family {
    readonly name: string
    readonly metrics: ReadonlyArray<Sample>
  }
  export default function parse(text: string): ReadonlyArray<Family>
}
