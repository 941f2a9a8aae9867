import * as z from 'zod'
import { memberId, roomId, secretKey } from './id-schemas.js'
import type { BroadcastSchemas } from './schema-types.js'

const anyName = z.string().min(1).max(64)
/**
 * Any JSON value. Exported because `npm run contract` has to give this schema a name: the schema is recursive.
 *
 * @public
 */
export const anyPayload = z.json()
const nonce = z.string().regex(/^[\w-]{1,32}$/, 'a nonce is 1 to 32 characters of base64url')

/**
 * Builds the input schema of `broadcastToRoom`. Without the app's schemas, the input schema accepts a broadcast of any
 * name.
 */
export function broadcastInput(schemas?: BroadcastSchemas) {
  const rest = {
    room: roomId,
    connectionKey: secretKey.optional(),
    to: memberId.optional(),
    nonce: nonce.optional(),
    lastEventId: z.string().nullish(),
  }
  const any = z.strictObject({ ...rest, name: anyName, payload: anyPayload })
  if (!schemas) return any
  const inputs = Object.entries(schemas).map(([name, payload]) =>
    z.strictObject({ ...rest, name: z.literal(name), payload }),
  )
  return z.discriminatedUnion('name', inputs as [(typeof inputs)[0]]) as unknown as typeof any
}

/**
 * The output schema of `broadcastToRoom`. `npm run contract` reads it from the build.
 *
 * @public
 */
export const broadcastOutput = z.object({ outcome: z.enum(['sent', 'absent']) })

/** The schema of the event that carries broadcasts of any name and payload. */
export const broadcastEvent = z.object({
  type: z.literal('broadcast'),
  items: z
    .array(
      z.object({
        name: anyName,
        payload: anyPayload,
        connectionId: z.string().nullable(),
        memberId: z.string().nullable(),
        at: z.int().min(1),
        after: z.int().min(0),
        nonce: z.string().optional(),
      }),
    )
    .min(1),
})
