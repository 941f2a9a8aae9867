import { request } from 'node:http'
import fc from 'fast-check'
import { prometheusMetrics } from 'hereabouts/server/prometheus'
import { serveLocations } from 'hereabouts/testing'
import * as z from 'zod'
import { expect, test } from 'vitest'
import { raw } from '../../support/network/raw.js'
import { newKey } from '../../support/clients/stock-client.js'
import { until } from '../../support/until.js'

/*
 * Three tenants share one process. Each writes a canary, a text of its own, into everything that it may write, and
 * tries the rooms, keys and ids of the others. No tenant is ever sent a byte of another's canary.
 */

const operations = 10_000
const tenants = ['ash', 'birch', 'cedar'] as const
type Tenant = (typeof tenants)[number]
const canaryOf = (tenant: Tenant) => `canary${tenant}canary`
const others = (tenant: Tenant) => tenants.filter((each) => each !== tenant).map(canaryOf)

const kinds = ['post', 'post', 'post', 'leave', 'read', 'count', 'nonsense', 'reach', 'reuse'] as const
const operation = fc.record({
  tenant: fc.constantFrom(...tenants),
  member: fc.nat(4),
  room: fc.nat(3),
  kind: fc.constantFrom(...kinds),
  other: fc.constantFrom(...tenants),
})

test(
  `${operations} operations of three tenants leak no byte of one tenant to another, to a log or to a metric`,
  { timeout: 0 },
  async () => {
    const logged: string[] = []
    const log = (...said: unknown[]) => void logged.push(said.map((each) => (each instanceof Error ? `${each.stack}` : JSON.stringify(each, withErrors))).join(' ')) // prettier-ignore
    const metrics = prometheusMetrics()
    await using server = await serveLocations({
      location: z.strictObject({ at: z.string() }),
      metrics,
      logger: { info: log, warn: log, error: log },
      limits: Object.fromEntries(['postBurst', 'readBurst', 'leaveBurst', 'connectionBurst', 'streamBurst', 'memberConnections'].map((limit) => [limit, 1e9])), // prettier-ignore
      identify({ ctx }) {
        const [tenant = '', member = ''] = (ctx.headers.get('authorization') ?? '').split(' ')
        return { memberId: `${canaryOf(tenant as Tenant)} ${member}`, profile: { name: canaryOf(tenant as Tenant) } }
      },
      authorize: ({ member, room }) => room.startsWith(`${member.memberId.split(' ')[0]}:`),
    })
    const sent = new Map<Tenant, string[]>(tenants.map((tenant) => [tenant, []]))
    const streams = tenants.flatMap((tenant) => {
      const heard = sent.get(tenant)!
      return [0, 1, 2, 3].map((room) => {
        const input = encodeURIComponent(JSON.stringify({ room: `${canaryOf(tenant)}:${room}` }))
        const asked = request(`${server.url}/onLocation?input=${input}`, { headers: { authorization: `${tenant} viewer` }, agent: false }) // prettier-ignore
        asked.on('response', (response) => response.setEncoding('utf8').on('data', (text: string) => heard.push(text)))
        asked.on('error', () => {}).end()
        return asked
      })
    })
    await until('every stream is open', () =>
      [...sent.values()].every((heard) => heard.join('').split('"snapshot"').length > 4),
    )
    const keys = new Map<string, string>()
    const ids = new Map<Tenant, string>()

    async function run({
      tenant,
      member,
      room: n,
      kind,
      other,
    }: typeof operation extends fc.Arbitrary<infer T> ? T : never) {
      const canary = canaryOf(tenant)
      const room = `${canary}:${n}`
      const foreign = `${canaryOf(other)}:${n}`
      const connection = `${tenant} ${member} ${n}`
      const key = keys.get(connection) ?? newKey()
      keys.set(connection, key)
      const headers = { authorization: `${tenant} ${member}`, 'content-type': 'application/json' }
      const post = (path: string, input: object) => raw(`${server.url}/${path}`, { method: 'POST', headers, body: JSON.stringify(input) }) // prettier-ignore
      const get = (path: string, input: object) =>
        raw(`${server.url}/${path}?input=${encodeURIComponent(JSON.stringify(input))}`, { headers })
      const location = { at: `${canary} ${Math.random()}` }
      const calls = {
        post: () => post('postLocation', { room, location, connectionKey: key }),
        leave: () => (keys.delete(connection), post('leaveRoom', { room, connectionKey: key })),
        read: () => get('getLocations', { room, lastEventId: ids.get(other) }),
        count: () => get('countMembers', { rooms: [room, foreign] }),
        nonsense: () => post('postLocation', { room, location: { at: 7, [canary]: canary }, connectionKey: canary }),
        // Reads the room of another tenant by its exact name.
        reach: () => get(n % 2 ? 'getLocations' : 'onLocation', { room: foreign }),
        // Posts in the tenant's own room with the key and the event id of another tenant.
        reuse: () => post('postLocation', { room, location, connectionKey: keys.get(`${other} ${member} ${n}`) ?? key, lastEventId: ids.get(other) }), // prettier-ignore
      }
      if (kind === 'reach' && other === tenant) return
      const { status, body, headers: answered } = await calls[kind]()
      const told = `${kind} ${body} ${JSON.stringify(answered)}`
      // A count repeats the room names that the caller sent, so they are not a leak.
      sent.get(tenant)!.push(kind === 'count' && status === 200 ? told.replaceAll(foreign, '') : told)
      const id = /"id":"([\w-]+\.\d+)"/.exec(body)?.[1]
      if (id) ids.set(tenant, id)
      if (kind === 'reach') expect(told).toContain('FORBIDDEN')
      if (kind === 'post') expect([200, 403]).toContain(status)
    }
    const all = fc.sample(operation, operations)
    for (let i = 0; i < all.length; i += 60) await Promise.all(all.slice(i, i + 60).map(run))
    await server.hub.revoke(`${canaryOf('ash')} 0`)
    await until('the streams have received everything', () => [...sent.values()].every((heard) => heard.length > 100))
    for (const stream of streams) stream.destroy()
    for (const tenant of tenants) {
      const everything = sent.get(tenant)!.join('\n')
      expect(everything).toContain(canaryOf(tenant))
      for (const foreign of others(tenant)) expect(everything.indexOf(foreign), `${foreign} at ${tenant}`).toBe(-1)
    }
    expect(logged.join('\n')).not.toMatch(/canary/)
    const scrape = await metrics.register.metrics()
    expect(scrape).not.toMatch(/canary/)
    expect(scrape).toContain('hereabouts_calls_total{procedure="getLocations",outcome="forbidden"}')
  },
)

const withErrors = (_key: string, value: unknown) => (value instanceof Error ? `${value.stack}` : value)
