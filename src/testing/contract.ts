import { inputCases } from './contract/inputs.js'
import { leaseCases } from './contract/leases.js'
import { leaveCases } from './contract/leaves.js'
import { postCases } from './contract/posts.js'
import { queryCases } from './contract/queries.js'
import { resumeCases } from './contract/resuming.js'
import { streamCases } from './contract/streams.js'
import type { ContractTarget } from './contract/target.js'
import { Wire } from './contract/http-client.js'

export type { ContractTarget, ContractTiming } from './contract/target.js'

/** One piece of behaviour that PROTOCOL promises. */
export type ContractCase = {
  name: string
  /** Rejects with an Error that says which rule is broken, and what was seen. */
  run(): Promise<void>
}

const groups = [streamCases, resumeCases, postCases, leaveCases, leaseCases, queryCases, inputCases]

/**
 * The protocol as named cases, to hold any server to: one with a backend of your own, or one in another language. It
 * speaks plain HTTP and Server-Sent Events, needs no test runner, and every case has rooms of its own.
 *
 * ```ts
 * for (const { name, run } of locationContract(target)) test(name, run)
 * ```
 */
export function locationContract(target: ContractTarget): ContractCase[] {
  return groups.flatMap((cases) =>
    Object.entries(cases).map(([name, run]) => ({ name, run: () => run(new Wire(target)) })),
  )
}
