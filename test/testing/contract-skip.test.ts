import { locationContract, serveLocations, type ContractTarget } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { cells, fastTiming, targetTiming } from '../contract/target.js'

/* A contract case that does not apply to a target says so, whatever the test runner. */

const { profile: _profile, presence: _presence, ...withoutProfile } = cells
const noServer: ContractTarget = { url: 'http://127.0.0.1:1', ...withoutProfile }
const caseOf = (name: string, target: ContractTarget) => {
  const found = locationContract(target).find((each) => each.name === name)
  if (!found) throw new Error(`The contract has no case ${name}.`)
  return found
}
/** Runs a case and returns the reasons that it gave to `skip`. */
async function reasonsOf(name: string, target: ContractTarget): Promise<string[]> {
  const reasons: string[] = []
  await caseOf(name, target).run({ skip: (reason) => void reasons.push(reason) })
  return reasons
}

describe('a contract case that does not apply', () => {
  test('gives its reason to skip() when the target has no profile()', async () => {
    expect(await reasonsOf('a posted profile is shown to viewers', noServer)).toEqual(['the target has no profile().'])
  })

  test('gives its reason to skip() when the target has no presence()', async () => {
    const reason = 'the target has no presence(): its router has no presence schema.'
    for (const name of [
      'a posted presence value is shown in snapshots and changes, and kept when a post leaves it out',
      'changed and removed keys of a presence value lead to the view of the snapshot',
      'a presence value is an object of at most 32 keys and 2 KiB',
    ])
      expect(await reasonsOf(name, noServer), name).toEqual([reason])
  })

  test('gives its reason to skip() when the server identifies every caller', async () => {
    await using server = await serveLocations({
      timing: fastTiming,
      identify: () => ({ memberId: 'ada' }),
      authorize: () => true,
    })
    const target = { url: server.url, timing: targetTiming, ...withoutProfile }
    const reasons = await reasonsOf('each anonymous post without a key makes a new connection', target)
    expect(reasons).toEqual(['the server identifies this caller.'])
  })

  test('rejects when it is run without a context, so that it never passes unchecked', async () => {
    await expect(caseOf('a posted profile is shown to viewers', noServer).run()).rejects.toThrow(
      'This case does not apply: the target has no profile().',
    )
  })
})

test('the run function of a case has no parameters, so that Jest and Mocha pass no callback', () => {
  for (const { name, run } of locationContract(noServer)) expect(run.length, name).toBe(0)
})
