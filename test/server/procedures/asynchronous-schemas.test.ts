import { initTRPC } from '@trpc/server'
import { createLocationHub, createLocationRouter } from 'hereabouts/server'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'

/* A schema with an asynchronous refinement works for every value that an app has a schema for. */

const slow = <S extends z.ZodType>(schema: S): S =>
  schema.refine(async (value) => {
    await new Promise((resolve) => setImmediate(resolve))
    return JSON.stringify(value) !== '"wrong"' && !JSON.stringify(value).includes('"typing":"wrong"')
  })
const schemas = {
  location: z.string(),
  profile: z.string(),
  presence: z.strictObject({ typing: z.string() }).partial(),
  broadcasts: { note: z.string() },
}
const asynchronous: Record<string, object> = {
  none: {},
  location: { location: slow(schemas.location) },
  profile: { profile: slow(schemas.profile) },
  presence: { presence: slow(schemas.presence) },
  broadcasts: { broadcasts: { note: slow(schemas.broadcasts.note) } },
}

test.each(Object.keys(asynchronous))('every value is parsed when this schema is asynchronous: %s', async (name) => {
  const hub = createLocationHub({ ...schemas, ...asynchronous[name], timing: { frameMinMs: 0 } } as never)
  onTestFinished(() => hub.close())
  const t = initTRPC.create({ isDev: false })
  const router = t.router(createLocationRouter({ hub, procedure: t.procedure, anonymous: true } as never) as never)
  const calls = t.createCallerFactory(router)({}) as unknown as Record<string, (input: object) => Promise<unknown>>
  const own = { room: 'r', connectionKey: 'k'.repeat(22) }
  const post = (more: object) => calls['postLocation']!({ ...own, location: 'A1', ...more })
  const note = (payload: string) => calls['broadcastToRoom']!({ ...own, name: 'note', payload })
  const values = { profile: 'Ada', presence: { typing: 'yes' } }
  await expect(post(values)).resolves.toMatchObject({ outcome: 'applied' })
  await expect(note('hi')).resolves.toEqual({ outcome: 'sent' })
  const refusals: Record<string, () => Promise<unknown>> = {
    location: () => post({ location: 'wrong' }),
    profile: () => post({ profile: 'wrong' }),
    presence: () => post({ presence: { typing: 'wrong' } }),
    broadcasts: () => note('wrong'),
  }
  if (refusals[name]) await expect(refusals[name]()).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})
