import { serveLocations } from 'hereabouts/testing'
import { describe, expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'

const limits = { readsPerSecond: 0.001, readBurst: 2, addressTimes: 1 }
const input = encodeURIComponent('{"room":"r"}')
const ask = async (url: string, headers: Record<string, string> = {}) =>
  (await raw(`${url}/getLocations?input=${input}`, { headers })).status

describe('per-address limits', () => {
  test('per-address limits ignore forwarding headers such as X-Forwarded-For unless clientIp() reads them', async () => {
    // ctx.ip is the address of the socket, whatever the headers say.
    await using server = await serveLocations({
      limits,
      clientIp: ({ ctx }) => ctx.ip.replace('127.0.0.1', '203.0.113.7'),
    })
    const forgeable = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'x-client-ip']
    const statuses = []
    for (const [i, name] of forgeable.entries()) statuses.push(await ask(server.url, { [name]: `198.51.100.${i}` }))
    expect(statuses).toEqual([200, 200, 429, 429, 429, 429])
  })

  test('per-address limits apply to the address that clientIp() returns', async () => {
    await using server = await serveLocations({
      limits,
      clientIp: ({ ctx }) => ctx.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? ctx.ip,
    })
    const from = (address: string) => ask(server.url, { 'x-forwarded-for': `1.1.1.1, ${address}` })
    expect([await from('203.0.113.7'), await from('203.0.113.7'), await from('203.0.113.7')]).toEqual([200, 200, 429])
    expect(await from('203.0.113.8')).toBe(200)
  })

  test('per-address limits ignore the port of an address that clientIp() returns', async () => {
    let port = 50_000
    await using server = await serveLocations({ limits, clientIp: () => `203.0.113.7:${(port += 1)}` })
    expect([await ask(server.url), await ask(server.url), await ask(server.url)]).toEqual([200, 200, 429])
  })

  test('per-address limits count all callers whose clientIp() result is not an IP address as one, and log one warning', async () => {
    const warnings: string[] = []
    const logger = { info() {}, warn: (message: string) => void warnings.push(message), error() {} }
    let n = 0
    await using server = await serveLocations({ limits, logger, clientIp: () => `device ${(n += 1)}` })
    expect([await ask(server.url), await ask(server.url), await ask(server.url)]).toEqual([200, 200, 429])
    expect(warnings.filter((warning) => warning.includes('clientIp()'))).toEqual([
      'clientIp() returned a value that is not an IP address: all such callers share one per-address limit.',
    ])
  })

  test('per-address limits do not apply by default to a loopback address, whatever X-Forwarded-For says', async () => {
    await using server = await serveLocations({ limits })
    for (let i = 0; i < 5; i++) expect(await ask(server.url, { 'x-forwarded-for': '203.0.113.7' })).toBe(200)
  })

  test('when clientIp() throws, only that call fails, with 503 and without the text of the error', async () => {
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
