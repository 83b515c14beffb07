/**
 * Emulates the images endpoint of DigitalOcean Gradient: real images in the real wire format, on a port or in process.
 */
export * as Emulator from "./Emulator.ts"
export * as Fault from "./Fault.ts"
export * as Ledger from "./Ledger.ts"
