import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'

const limits = { readsPerSecond: 0.001, readBurst: 2, addressTimes: 1 }
const input = encodeURIComponent('{"room":"r"}')
const ask = async (url: string, headers: Record<string, string> = {}) =>
  (await raw(`${url}/getLocations?input=${input}`, { headers })).status

describe('the address of a caller', () => {
  test('what a caller writes into a header changes nothing', async () => {
    // As behind a proxy that nobody told us of, or as on the internet: every request has the one address of its socket.
    await using server = await serveLocations({
      limits,
      clientIp: ({ ctx }) => ctx.ip.replace('127.0.0.1', '203.0.113.7'),
    })
    const lies = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-client-ip']
    const statuses = []
    for (const [i, name] of lies.entries()) statuses.push(await ask(server.url, { [name]: `198.51.100.${i}` }))
    expect(statuses).toEqual([200, 200, 429, 429, 429, 429])
  })

  test('is what the option says, and counts as that', async () => {
    await using server = await serveLocations({
      limits,
      clientIp: ({ ctx }) => ctx.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? ctx.ip,
    })
    const from = (address: string) => ask(server.url, { 'x-forwarded-for': `1.1.1.1, ${address}` })
    expect([await from('203.0.113.7'), await from('203.0.113.7'), await from('203.0.113.7')]).toEqual([200, 200, 429])
    expect(await from('203.0.113.8')).toBe(200)
  })

  test('of this machine is not limited by default, whatever it claims to pass on', async () => {
    await using server = await serveLocations({ limits })
    for (let i = 0; i < 5; i++) expect(await ask(server.url, { 'x-forwarded-for': '203.0.113.7' })).toBe(200)
  })

  test('that the app cannot find out is refused to that caller alone', async () => {
    await using server = await serveLocations({
      limits,
      clientIp({ ctx }) {
        if (ctx.headers.has('x-broken')) throw new Error('secret detail')
        return undefined
      },
    })
    const answer = await raw(`${server.url}/getLocations?input=${input}`, { headers: { 'x-broken': '1' } })
    expect([answer.status, answer.body.includes('secret')]).toEqual([503, false])
    expect(await ask(server.url)).toBe(200)
  })
})
