/**
 * Simulates processes that use one key of a journal and behave as badly as they can: they stall at any point, crash,
 * send late, and repeat a statement after its answer was lost. Counts how many requests were sent, and how many the
 * promise allows.
 */
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { GenerationJournal } from "../../src/index.ts"

export const leaseMillis = 60_000

/** A permission to send that a process has asked for. */
interface Claim {
  readonly begin: Extract<GenerationJournal.Move, { _tag: "Begin" }>
  /** When the process asked for the permission, by the process's own clock. */
  readonly at: number
  phase: "asking" | "begun" | "checked" | "sent"
}

export interface Process {
  holder: string
  /** When the process asked for the last renewal that the database confirmed. */
  renewed: number
  claim: Claim | undefined
  /** Moves whose answer from the database was lost. The process may repeat them at any time. */
  readonly unanswered: Array<GenerationJournal.Move>
}

type Journal = GenerationJournal.GenerationJournal["Service"]

export class World {
  now = 1_000_000
  sent = 0
  uncharged = 0
  allowed = 0
  #count = 0
  readonly processes: ReadonlyArray<Process>
  /** The row that a person saw, and may act on later. */
  seen: GenerationJournal.Row | undefined
  /** The moves of a person whose answer from the database was lost. */
  readonly said: Array<GenerationJournal.Move> = []
  readonly journal: Journal
  readonly #run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  readonly id = "a".repeat(64)

  constructor(journal: Journal, run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>) {
    this.journal = journal
    this.#run = run
    this.processes = [1, 2, 3].map(() => ({
      holder: this.#fresh("holder"),
      renewed: 0,
      claim: undefined,
      unanswered: []
    }))
  }

  #fresh(kind: string): string {
    return `${kind} ${++this.#count}`
  }

  async move(move: GenerationJournal.Move): Promise<GenerationJournal.Row | undefined> {
    return Option.getOrUndefined(await this.#run(this.journal.move(this.id, move)))
  }

  get isPromiseKept(): boolean {
    return this.sent <= 1 + this.uncharged + this.allowed
  }

  async begin(process: Process, isAnswered: boolean): Promise<void> {
    if (process.claim?.phase === "asking") return this.#ask(process, process.claim, isAnswered)
    if (process.claim !== undefined) return
    const asked = { key: "key", salt: "", digest: "v1:", labels: {}, model: "m", n: 1 }
    const begin = GenerationJournal.Move.Begin({
      ...asked,
      token: this.#fresh("token"),
      holder: process.holder,
      leaseMillis
    })
    process.claim = { begin, at: this.now, phase: "asking" }
    return this.#ask(process, process.claim, isAnswered)
  }

  /** Asks for the permission to send. If the answer is lost, the next call asks again with the same statement. */
  async #ask(process: Process, claim: Claim, isAnswered: boolean): Promise<void> {
    const row = await this.move(claim.begin)
    if (!isAnswered) return
    if (row === undefined) process.claim = undefined
    else claim.phase = "begun"
  }

  /** Checks the lease, which is the last step of a process before it sends. */
  async check(process: Process): Promise<void> {
    const { claim } = process
    if (claim?.phase !== "begun") return
    if (this.now - Math.max(claim.at, process.renewed) < leaseMillis / 2) {
      claim.phase = "checked"
      return
    }
    process.claim = undefined
    await this.move(GenerationJournal.Move.Release({ token: claim.begin.token, note: "stalled" }))
  }

  send({ claim }: Process): void {
    if (claim?.phase !== "checked") return
    claim.phase = "sent"
    this.sent++
  }

  async end(process: Process, outcome: "uncharged" | "doubt" | "completed", isAnswered: boolean): Promise<void> {
    const { claim } = process
    if (claim?.phase !== "sent") return
    process.claim = undefined
    if (outcome === "uncharged") this.uncharged++
    const move = outcomeOf(outcome, claim.begin)
    await this.move(move)
    if (!isAnswered) process.unanswered.push(move)
  }

  /** Repeats a statement whose answer was lost. */
  async again(process: Process): Promise<void> {
    const move = process.unanswered.at(-1) ?? this.said.at(-1)
    if (move !== undefined) await this.move(move)
  }

  crash(process: Process): void {
    process.claim = undefined
    process.unanswered.length = 0
    process.holder = this.#fresh("holder")
    process.renewed = 0
  }

  async renew(process: Process): Promise<void> {
    const asked = this.now
    await this.#run(this.journal.renew(process.holder, leaseMillis))
    process.renewed = asked
  }

  async look(): Promise<void> {
    this.seen = Option.getOrUndefined(await this.#run(this.journal.find(this.id)))?.row
  }

  /**
   * Applies a decision of a person. `Repeat` and `Abandon` apply only if the row still has the attempt that the person
   * last saw, and the others only if the row still has the token that the person saw. A `Repeat` or `Forget` that changes
   * the row, or whose answer is lost, allows one more request.
   */
  async say(what: "Repeat" | "Abandon" | "Expire" | "Erase" | "Forget", isAnswered: boolean): Promise<void> {
    const { attempt = 0, token = "" } = this.seen ?? {}
    const moves = {
      Repeat: GenerationJournal.Move.Repeat({ attempt }),
      Abandon: GenerationJournal.Move.Abandon({ attempt }),
      Expire: GenerationJournal.Move.Expire({ token }),
      Erase: GenerationJournal.Move.Erase({ token }),
      Forget: GenerationJournal.Move.Forget({ token })
    }
    const changed = await this.move(moves[what])
    // If its answer was lost, the decision may take effect later, when its statement is repeated.
    const isEffective = changed !== undefined || !isAnswered
    if (isEffective && (what === "Repeat" || what === "Forget")) this.allowed++
    if (!isAnswered) this.said.push(moves[what])
  }
}

const outcomeOf = (
  outcome: "uncharged" | "doubt" | "completed",
  { digest, key, labels, model, n, salt, token }: Claim["begin"]
): GenerationJournal.Move => {
  const asked = { digest, key, labels, model, n, salt }
  switch (outcome) {
    case "uncharged":
      return GenerationJournal.Move.Release({ token, note: "RateLimitError" })
    case "doubt":
      return GenerationJournal.Move.Doubt({ token, note: "DisconnectedError", images: 0 })
    case "completed": {
      const tokens = { input: undefined, output: undefined, total: undefined }
      return GenerationJournal.Move.Complete({ ...asked, token, attempt: 1, folder: `1-${token}`, images: 1, tokens })
    }
  }
}
