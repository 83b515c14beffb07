/** Generations that outlive the process that asked for them. Each module is a namespace. */
export * as GenerationJournal from "./GenerationJournal.ts"
export * as ImageStore from "./ImageStore.ts"
