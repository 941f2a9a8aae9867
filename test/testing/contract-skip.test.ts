import { locationContract, serveLocations, type ContractTarget } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { cells, fastTiming, targetTiming } from '../contract/target.js'

/* A contract case that does not apply to a target is skipped or rejects, in each test runner. */

const { profile: _profile, presence: _presence, broadcasts: _broadcasts, locks: _locks, ...bare } = cells
const noServer: ContractTarget = { url: 'http://127.0.0.1:1', ...bare }
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
  const name = 'each anonymous post without a key makes a new connection'
  const identify = { identify: () => ({ memberId: 'ada' }), authorize: () => true }

  test('a contract case for anonymous callers gives its reason to skip() when the server identifies every caller', async () => {
    await using server = await serveLocations({ timing: fastTiming, ...identify })
    const reasons = await reasonsOf(name, { url: server.url, timing: targetTiming, ...bare })
    expect(reasons).toEqual(['the server identifies this caller.'])
  })

  test('a contract case that does not apply rejects when it is run without a context', async () => {
    await using server = await serveLocations({ timing: fastTiming, ...identify })
    await expect(caseOf(name, { url: server.url, timing: targetTiming, ...bare }).run()).rejects.toThrow(
      'This case does not apply: the server identifies this caller.',
    )
  })
})

test('the contract has the cases about a feature only for a target with the field of that feature', () => {
  const namesOf = (target: ContractTarget) => locationContract(target).map(({ name }) => name)
  const always = namesOf(noServer)
  const { broadcasts, profile, presence, locks } = cells
  const { burst: _burst, ...unlimited } = broadcasts
  const more = (field: Partial<ContractTarget>) =>
    namesOf({ ...noServer, ...field }).filter((name) => !always.includes(name))
  expect(more({ profile })).toHaveLength(1)
  expect(more({ presence }).every((name) => name.includes('presence value'))).toBe(true)
  expect(more({ broadcasts: unlimited }).length).toBeGreaterThan(3)
  expect(more({ broadcasts })).toHaveLength(more({ broadcasts: unlimited }).length + 1)
  expect(more({ locks }).length).toBeGreaterThan(7)
  expect(namesOf({ ...noServer, ...cells })).toHaveLength(
    always.length + [{ profile }, { presence }, { broadcasts }, { locks }].flatMap(more).length,
  )
  expect(always.filter((name) => /presence value|broadcast|lock|profile is shown/.test(name))).toEqual([])
})

test('the `run` function of a contract case has length 0, so that Jest and Mocha pass no callback', () => {
  for (const { name, run } of locationContract(noServer)) expect(run.length, name).toBe(0)
})
