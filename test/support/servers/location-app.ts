import { initTRPC, type TRPCError } from '@trpc/server'
import { cellLocation, type MemberProfile } from 'hereabouts'
import { createLocationHub, createLocationRouter, type Access, type HubOptions } from 'hereabouts/server'
import type { memberProfile } from 'hereabouts'

export type AppContext = { user: string | null }

type AppOptions = Partial<HubOptions<typeof cellLocation, typeof memberProfile>> & {
  access?: Access<AppContext, MemberProfile>
}

/** Creates an app with location procedures in its router. `errors` records every error that tRPC passes to onError. */
export function locationApp({ access = { anonymous: true }, ...options }: AppOptions = {}) {
  const t = initTRPC.context<AppContext>().create({ isDev: false })
  const hub = createLocationHub({ location: cellLocation, ...options })
  const router = t.router({ locations: createLocationRouter({ hub, procedure: t.procedure, ...access }) })
  const errors: TRPCError[] = []
  const onError = ({ error }: { error: TRPCError }) => void errors.push(error)
  const caller = (user: string | null = null, signal?: AbortSignal) =>
    t.createCallerFactory(router)({ user }, { onError, ...(signal && { signal }) })
  return { hub, router, errors, onError, caller, [Symbol.asyncDispose]: () => hub.close() }
}
