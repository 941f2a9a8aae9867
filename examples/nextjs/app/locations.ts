import type { appRouter } from '../server.mjs'

type Caller = ReturnType<typeof appRouter.createCaller>

/** The procedures, for pages that are rendered on the server. server.mjs sets them, because Next bundles pages separately. */
export const locations = () => (globalThis as unknown as Caller).locations
