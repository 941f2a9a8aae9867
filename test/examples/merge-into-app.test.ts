import { describe, expect, test } from 'vitest'
import { addressOf, example } from '../support/example.js'

const merged = example('merge-into-app')

describe.skipIf(!merged)('the tRPC app', { timeout: 180_000 }, () => {
  const { commands, run, start } = merged!

  test('the tRPC app starts with the two commands of its README, refuses a caller without a session, and ends on Ctrl-C', async () => {
    expect(commands).toEqual(['npm ci', 'npm run example merge-into-app'])
    await using app = start()
    const asking = await fetch(`${await addressOf(app)}/trpc/locations.countMembers?input={"json":{"rooms":[]}}`)
    expect(asking.status).toBe(401)
    expect(await asking.json()).toMatchObject({
      error: { json: { message: 'Sign in first.', data: { issues: null } } },
    })
    app.interrupt()
    await app.status
  })

  test('the tRPC app passes its own tests', async () => {
    const { status, said } = await run('test')
    expect(status, said).toBe(0)
    expect(said).toMatch(/^(#|ℹ) fail 0$/m)
  })
})
