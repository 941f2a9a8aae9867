import type { AnyTRPCRouter } from '@trpc/server'
import type { Logger } from '../options/logger.js'

/*
 * An app merges the record of `createLocationRouter` into its router, and may lose a procedure on the way: it spreads
 * an object of its own over the record, or picks procedures from it. Clients would then get a 404 for a single feature.
 */

/** The procedures of one record by name, and the logger of its hub. */
type LocationRecordInfo = { names: readonly string[]; logger: Logger }

const records = new WeakMap<object, LocationRecordInfo>()
const checked = new WeakSet<AnyTRPCRouter>()

/** Remembers which procedures `createLocationRouter` returned together, and the logger of their hub. */
export function noteRecord(record: Readonly<Record<string, object>>, logger: Logger): void {
  const info = { names: Object.keys(record), logger }
  for (const procedure of Object.values(record)) records.set(procedure, info)
}

/**
 * Logs a warning for each procedure that a router has lost, once for each router. Procedures in lazy routers are not
 * checked.
 */
export function warnOfLostProcedures(router: AnyTRPCRouter): void {
  if (checked.has(router)) return
  checked.add(router)
  const procedures = router._def.procedures as Record<string, object>
  for (const [prefix, infos] of recordsByPrefix(procedures))
    for (const { names, logger } of infos)
      for (const path of names.map((name) => prefix + name))
        if (!records.has(procedures[path] ?? {})) logger.warn(advice(path, path in procedures))
}

/** The records that are mounted in a router, by the prefix of their paths, such as `locations.`. */
function recordsByPrefix(procedures: Record<string, object>): Map<string, Set<LocationRecordInfo>> {
  const byPrefix = new Map<string, Set<LocationRecordInfo>>()
  for (const [path, procedure] of Object.entries(procedures)) {
    const info = records.get(procedure)
    const prefix = path.slice(0, path.lastIndexOf('.') + 1)
    if (info) byPrefix.set(prefix, (byPrefix.get(prefix) ?? new Set()).add(info))
  }
  return byPrefix
}

const advice = (path: string, isReplaced: boolean) =>
  `The router has ${isReplaced ? 'another procedure' : 'no procedure'} at ${path}, which createLocationRouter made: ` +
  'clients cannot use it. Mount the whole record under a name of its own: router({ locations: createLocationRouter({ ... }) }).'
