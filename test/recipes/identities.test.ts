import { createHmac, timingSafeEqual } from 'node:crypto'
import { initTRPC, TRPCError } from '@trpc/server'
import { cellLocation } from 'hereabouts'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { createLocationServer, type ServerContext } from 'hereabouts/server/standalone'
import { generateKeyPair, importJWK, jwtVerify, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { raw } from '../support/network/raw.js'

/* The identify() recipes of docs/security.md as written there, with genuine and forged credentials. */

/** Returns the memberId that a server gives a caller, or the status of the refusal. */
async function takenFor(trpcUrl: string, headers: Record<string, string>): Promise<string | number> {
  const body = JSON.stringify({ room: 'r', location: null })
  const answer = await raw(`${trpcUrl}/postLocation`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  if (answer.status !== 200) return answer.status
  return (JSON.parse(answer.body) as { result: { data: { memberId: string } } }).result.data.memberId
}

describe('identify from a signed cookie', () => {
  const secret = 'a secret of the server, 32 bytes or more'
  const sign = (value: string) => createHmac('sha256', secret).update(value).digest('base64url')
  const sealed = (memberId: string, endsAt: number) => {
    const value = `${Buffer.from(memberId).toString('base64url')}.${endsAt}`
    return `session=${value}.${sign(value)}`
  }

  function identify({ ctx }: { ctx: ServerContext }) {
    const [, value, signature] = /(?:^|; )session=([\w-]+\.\d+)\.([\w-]+)/.exec(ctx.headers.get('cookie') ?? '') ?? []
    if (!value || !signature) throw new Error('no session')
    const [given, right] = [Buffer.from(signature), Buffer.from(sign(value))]
    if (given.length !== right.length || !timingSafeEqual(given, right)) throw new Error('a forged session')
    const [memberId = '', endsAt = ''] = value.split('.')
    return { memberId: Buffer.from(memberId, 'base64url').toString(), expiresAt: new Date(Number(endsAt)) }
  }

  test('identify from a signed cookie returns the member of the cookie until the cookie expires, and refuses a forged one', async () => {
    const server = createLocationServer({ location: cellLocation, identify, authorize: () => true })
    const { trpcUrl } = await server.listen(0)
    const later = Date.now() + 60_000
    const good = sealed('ada', later)
    expect(await takenFor(trpcUrl, { cookie: good })).toBe('ada')
    expect(await takenFor(trpcUrl, { cookie: `theme=dark; ${good}` })).toBe('ada')
    const forged = [
      {},
      { cookie: 'session=' },
      { cookie: sealed('ada', Date.now() - 1) },
      { cookie: good.slice(0, -1) },
      { cookie: `${good}A` },
      { cookie: good.replace(/session=[\w-]+/, `session=${Buffer.from('eve').toString('base64url')}`) },
      { cookie: good.replace(String(later), String(later + 1)) },
    ]
    for (const headers of forged) expect(await takenFor(trpcUrl, headers as Record<string, string>)).toBe(401)
    await server.close()
  })
})

describe('identify from a bearer token', () => {
  const expected = { issuer: 'https://login.example', audience: 'rooms', algorithms: ['ES256'] }

  test('identify from a bearer token accepts a token only with the right key, algorithm, audience and age', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const server = createLocationServer({
      location: cellLocation,
      async identify({ ctx }) {
        const token = /^Bearer (.+)$/.exec(ctx.headers.get('authorization') ?? '')?.[1] ?? ''
        const { payload } = await jwtVerify(token, publicKey, { ...expected, requiredClaims: ['sub', 'exp'] })
        return { memberId: payload.sub!, expiresAt: new Date(payload.exp! * 1_000) }
      },
      authorize: () => true,
    })
    const { trpcUrl } = await server.listen(0)
    const token = (claims: object = {}) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256' })
        .setSubject('ada')
        .setIssuer(expected.issuer)
        .setAudience(expected.audience)
        .setExpirationTime('1 minute')
    const as = (jwt: string) => takenFor(trpcUrl, { authorization: `Bearer ${jwt}` })
    const good = await token().sign(privateKey)
    expect(await as(good)).toBe('ada')
    const other = await generateKeyPair('ES256')
    const shared = await importJWK({ kty: 'oct', k: Buffer.from('what everybody knows'.padEnd(32)).toString('base64url') }) // prettier-ignore
    const forged = [
      '',
      'x.y.z',
      good.slice(0, -2),
      await token().sign(other.privateKey),
      await token().setExpirationTime('1 minute ago').sign(privateKey),
      await token().setAudience('another').sign(privateKey),
      await token().setIssuer('https://evil.example').sign(privateKey),
      await new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).setIssuer(expected.issuer).setAudience(expected.audience).setExpirationTime('1 minute').sign(privateKey), // prettier-ignore
      // The recipe accepts one algorithm only, because of these two: no signature, and HMAC with a publicly known key.
      new UnsecuredJWT({}).setSubject('ada').setIssuer(expected.issuer).setAudience(expected.audience).setExpirationTime('1 minute').encode(), // prettier-ignore
      await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('ada').setIssuer(expected.issuer).setAudience(expected.audience).setExpirationTime('1 minute').sign(shared), // prettier-ignore
    ]
    for (const jwt of forged) expect(await as(jwt), jwt).toBe(401)
    await server.close()
  })
})

describe("identify behind an app's own tRPC middleware", () => {
  test("identify behind an app's own tRPC middleware takes the member from the context, and leaves the error of the middleware as it is", async () => {
    type User = { id: string; name: string; rooms: string[] }
    const users: Record<string, User> = { t1: { id: 'ada', name: 'Ada', rooms: ['r'] } }
    const t = initTRPC.context<{ token?: string }>().create()
    const signedIn = t.procedure.use(({ ctx, next }) => {
      const user = users[ctx.token ?? '']
      if (!user) throw new TRPCError({ code: 'UNAUTHORIZED', message: 'Please sign in.' })
      return next({ ctx: { user } })
    })
    const hub = createLocationHub({ location: cellLocation })
    const locations = createLocationRouter({
      hub,
      procedure: signedIn,
      // The context is the one after your middleware: `user` is typed.
      identify: ({ ctx }) => ({ memberId: ctx.user.id, profile: { name: ctx.user.name } }),
      authorize: ({ ctx, room }) => ctx.user.rooms.includes(room),
    })
    const as = t.createCallerFactory(t.router({ locations }))
    const post = (token: string | undefined, room: string) =>
      as(token === undefined ? {} : { token }).locations.postLocation({ room, location: null })
    expect(await post('t1', 'r')).toMatchObject({ memberId: 'ada' })
    expect(await hub.room('r').members()).toMatchObject([{ memberId: 'ada', profile: { name: 'Ada' } }])
    await expect(post('t1', 'vault')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(post('t2', 'r')).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: 'Please sign in.' })
    await expect(post(undefined, 'r')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await hub.close()
  })
})
