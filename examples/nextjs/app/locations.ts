import type { appRouter } from '../server.mjs'

type Caller = ReturnType<typeof appRouter.createCaller>

/**
 * Returns the procedures for pages that are rendered on the server. server.mjs stores them in a global, because Next
 * bundles pages separately.
 */
export const locations = () => (globalThis as unknown as Caller).locations
