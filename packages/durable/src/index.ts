/** Keeps generations and their images after the process that asked for them has ended. Each module is a namespace. */
export * as DurableImages from "./DurableImages.ts"
export * as Generation from "./Generation.ts"
export * as GenerationJournal from "./GenerationJournal.ts"
export * as ImageBatch from "./ImageBatch.ts"
export * as ImageStore from "./ImageStore.ts"
export * as SqlBudgetLedger from "./SqlBudgetLedger.ts"
export * as SqlRateLimiterStore from "./SqlRateLimiterStore.ts"
