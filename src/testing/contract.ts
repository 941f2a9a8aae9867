import { broadcastCases, broadcastLimitCases } from './contract/broadcasts.js'
import { inputCases } from './contract/inputs.js'
import { leaseCases } from './contract/leases.js'
import { leaveCases } from './contract/leaves.js'
import { lockCases } from './contract/locks.js'
import { postCases, profileCases } from './contract/posts.js'
import { presenceCases } from './contract/presence.js'
import { queryCases } from './contract/queries.js'
import { resumeCases } from './contract/resuming.js'
import { CaseSkipped } from './contract/demand.js'
import { speakingCases } from './contract/speaking.js'
import { streamCases } from './contract/streams.js'
import type { ContractTarget } from './contract/target.js'
import { Wire } from './contract/http-client.js'

export type { ContractSocket } from './contract/socket-wire.js'
export type { ContractBroadcasts, ContractLocks, ContractTarget, ContractTiming } from './contract/target.js'

/** The argument that a test runner passes to a test, so that it can skip itself: the context of Vitest, of `node:test` and of others. */
export type ContractContext = {
  /** Marks the running test as skipped, for the given reason. */
  skip(reason: string): unknown
}

/** One rule of PROTOCOL as a test case. */
export type ContractCase = {
  name: string
  /**
   * Rejects with an Error that names the broken rule and what was seen instead.
   *
   * When the case turns out not to apply to the server, `skip` is called with the reason. Without a context, `run`
   * rejects instead, so that no case passes without having checked anything.
   */
  run(context?: ContractContext): Promise<void>
}

type Cases = { readonly [name: string]: (wire: Wire) => Promise<void> }

/** The groups of cases, each with a function that tells whether a target has the values that these cases need. */
const groups: [cases: Cases, applies: (target: ContractTarget) => boolean][] = [
  [streamCases, () => true],
  [resumeCases, () => true],
  [postCases, () => true],
  [profileCases, ({ profile }) => profile !== undefined],
  [presenceCases, ({ presence }) => presence !== undefined],
  [speakingCases, () => true],
  [leaveCases, () => true],
  [leaseCases, () => true],
  [queryCases, () => true],
  [inputCases, () => true],
  [broadcastCases, ({ broadcasts }) => broadcasts !== undefined],
  [broadcastLimitCases, ({ broadcasts }) => broadcasts?.burst !== undefined],
  [lockCases, ({ locks }) => locks !== undefined],
]

/**
 * The protocol as named cases, to check any server against: one with your own backend, or one in another language. The
 * cases speak plain HTTP and Server-Sent Events, or a WebSocket where the target has one; they need no test runner, and each
 * uses rooms of its own.
 *
 * Returns the cases that apply to the fields of the target: those about profiles, presence values, broadcasts and locks only
 * when the target has `profile`, `presence`, `broadcasts` and `locks`.
 *
 * ```ts
 * for (const { name, run } of locationContract(target)) test(name, run)
 * ```
 */
export function locationContract(target: ContractTarget): ContractCase[] {
  const applicable = groups.flatMap(([cases, applies]) => (applies(target) ? Object.entries(cases) : []))
  return applicable.map(([name, check]) => ({
    name,
    // Rest parameters keep `run.length` at 0. Jest and Mocha pass a callback to functions with a parameter.
    run: (...[context]: [ContractContext?]) => runCase(check, new Wire(target), context),
  }))
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
