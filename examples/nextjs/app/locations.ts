import type { appRouter } from '../server.mjs'

type Caller = ReturnType<typeof appRouter.createCaller>

/** The procedures, for pages that are made on the server: server.mjs leaves them here, since Next bundles pages apart. */
export const locations = () => (globalThis as unknown as Caller).locations
