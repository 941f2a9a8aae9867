import { inputCases } from './contract/inputs.js'
import { leaseCases } from './contract/leases.js'
import { leaveCases } from './contract/leaves.js'
import { postCases } from './contract/posts.js'
import { presenceCases } from './contract/presence.js'
import { queryCases } from './contract/queries.js'
import { resumeCases } from './contract/resuming.js'
import { CaseSkipped } from './contract/demand.js'
import { speakingCases } from './contract/speaking.js'
import { streamCases } from './contract/streams.js'
import type { ContractTarget } from './contract/target.js'
import { Wire } from './contract/http-client.js'

export type { ContractSocket } from './contract/socket-wire.js'
export type { ContractTarget, ContractTiming } from './contract/target.js'

/** The argument that a test runner passes to a test, so that it can skip itself: the context of Vitest, of `node:test` and of others. */
export type ContractContext = {
  /** Marks the running test as skipped, for the given reason. */
  skip(reason: string): unknown
}

/** One rule of PROTOCOL. */
export type ContractCase = {
  name: string
  /**
   * Rejects with an Error that names the broken rule and what was seen instead.
   *
   * A case that does not apply to the target calls `skip` with the reason. Without a context it rejects, so that no case
   * passes without having checked anything.
   */
  run(context?: ContractContext): Promise<void>
}

const groups = [
  streamCases,
  resumeCases,
  postCases,
  presenceCases,
  speakingCases,
  leaveCases,
  leaseCases,
  queryCases,
  inputCases,
]

/**
 * The protocol as named cases, to check any server against: one with your own backend, or one in another language. The
 * cases speak plain HTTP and Server-Sent Events, or a WebSocket where the target has one; they need no test runner, and each
 * uses rooms of its own.
 *
 * ```ts
 * for (const { name, run } of locationContract(target)) test(name, run)
 * ```
 */
export function locationContract(target: ContractTarget): ContractCase[] {
  return groups.flatMap((cases) =>
    Object.entries(cases).map(([name, check]) => ({
      name,
      // Rest parameters keep `run.length` at 0. Jest and Mocha pass a callback to functions with a parameter.
      run: (...[context]: [ContractContext?]) => runCase(check, new Wire(target), context),
    })),
  )
}

async function runCase(
  check: (wire: Wire) => Promise<void>,
  wire: Wire,
  context: ContractContext | undefined,
): Promise<void> {
  try {
    await check(wire)
  } catch (error) {
    if (!(error instanceof CaseSkipped) || typeof context?.skip !== 'function') throw error
    context.skip(error.reason)
  } finally {
    wire.close()
  }
}
