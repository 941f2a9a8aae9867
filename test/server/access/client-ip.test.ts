import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'

const limits = { readsPerSecond: 0.001, readBurst: 2, addressTimes: 1 }
const input = encodeURIComponent('{"room":"r"}')
const ask = async (url: string, headers: Record<string, string> = {}) =>
  (await raw(`${url}/getLocations?input=${input}`, { headers })).status

describe('the address that a caller is limited by', () => {
  test('the address that a caller is limited by does not depend on forwarding headers by default', async () => {
    // Every request has the address of its socket, whatever its headers say.
    await using server = await serveLocations({
      limits,
      clientIp: ({ ctx }) => ctx.ip.replace('127.0.0.1', '203.0.113.7'),
    })
    const forgeable = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-client-ip']
    const statuses = []
    for (const [i, name] of forgeable.entries()) statuses.push(await ask(server.url, { [name]: `198.51.100.${i}` }))
    expect(statuses).toEqual([200, 200, 429, 429, 429, 429])
  })

  test('the address that a caller is limited by is the one that clientIp() returns', async () => {
    await using server = await serveLocations({
      limits,
      clientIp: ({ ctx }) => ctx.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? ctx.ip,
    })
    const from = (address: string) => ask(server.url, { 'x-forwarded-for': `1.1.1.1, ${address}` })
    expect([await from('203.0.113.7'), await from('203.0.113.7'), await from('203.0.113.7')]).toEqual([200, 200, 429])
    expect(await from('203.0.113.8')).toBe(200)
  })

  test('the address that a caller is limited by is counted without its port', async () => {
    let port = 50_000
    await using server = await serveLocations({ limits, clientIp: () => `203.0.113.7:${(port += 1)}` })
    expect([await ask(server.url), await ask(server.url), await ask(server.url)]).toEqual([200, 200, 429])
  })

  test('the address that a caller is limited by is counted as one, with one warning, for all callers whose clientIp() is not an address', async () => {
    const warnings: string[] = []
    const logger = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
    let n = 0
    await using server = await serveLocations({ limits, logger, clientIp: () => `device ${(n += 1)}` })
    expect([await ask(server.url), await ask(server.url), await ask(server.url)]).toEqual([200, 200, 429])
    expect(warnings.filter((warning) => warning.includes('clientIp()'))).toEqual([
      'clientIp() returned a value that is not an IP address: all such callers share one per-address limit.',
    ])
  })

  test('the address that a caller is limited by is not limited by default when it is a loopback address, whatever x-forwarded-for says', async () => {
    await using server = await serveLocations({ limits })
    for (let i = 0; i < 5; i++) expect(await ask(server.url, { 'x-forwarded-for': '203.0.113.7' })).toBe(200)
  })

  test("the address that a caller is limited by makes only that caller's call fail when clientIp() throws", async () => {
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
