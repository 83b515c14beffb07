/** The images endpoint of DigitalOcean Gradient, emulated: real pictures on the real wire, on a port or in process. */
export * as Emulator from "./Emulator.ts"
export * as Fault from "./Fault.ts"
export * as Ledger from "./Ledger.ts"
