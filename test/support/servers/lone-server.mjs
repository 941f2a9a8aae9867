// @ts-check
// A server in its own process, which reports about itself on request. OPTIONS: the options of serveLocations as JSON.
import { openSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'
import { serveLocations } from 'hereabouts/testing'

/** @type {{ level: string, message: string }[]} */
const logged = []
/** @param {string} level @returns {(message: string, details?: { error?: unknown }) => void} */
const log =
  (level) =>
  (message, { error } = {}) =>
    void logged.push({ level, message: error instanceof Error ? `${message}: ${error.stack}` : message })

const prototypes = [Object, Array, String, Number, Function, Promise, Map].map(({ prototype }) => prototype)
const tell = {
  /** Reports the log, the keys of built-in prototypes (to detect pollution), CPU time, handles and hub metrics. */
  report: () => ({
    logged,
    prototypes: prototypes.map((prototype) => Reflect.ownKeys(prototype).map(String).join()),
    cpuMs: Object.values(process.cpuUsage()).reduce((sum, micros) => sum + micros / 1_000, 0),
    handles: process.getActiveResourcesInfo().length,
    // @ts-ignore: `readings` is not part of the public type of a hub.
    readings: server.hub.readings(),
  }),
  heapUsed: () => (globalThis.gc?.(), getHeapStatistics().used_heap_size),
  /** Opens files until the limit of the process is reached. Returns how many. */
  exhaust() {
    for (let files = 0; ; files++)
      try {
        openSync('/dev/null', 'r')
      } catch {
        return files
      }
  },
  /** Posts a new profile for each of 300 members of the room `stirred`, which makes a frame of about 200 KB. */
  async stir() {
    stirred += 1
    const profile = { name: 'x'.repeat(64), avatar: `https://x.example/${'x'.repeat(480)}/${stirred}` }
    const members = Array.from({ length: 300 }, (_, i) => `member ${i}`)
    await Promise.all(members.map((memberId) => server.hub.room('stirred').post({ memberId, profile, location: null })))
    return tell.report()
  },
}
let stirred = 0

const logger = { info: log('info'), warn: log('warn'), error: log('error') }
const server = await serveLocations({ logger, ...JSON.parse(process.env['OPTIONS'] ?? '{}') })
process.on('uncaughtException', (error) => log('uncaught')(String(error), { error }))
process.on('unhandledRejection', (error) => log('uncaught')(String(error), { error }))
process.on('message', (/** @type {keyof typeof tell} */ asked) => {
  void Promise.resolve(tell[asked]()).then((answer) => process.send?.(answer))
})
process.on('disconnect', () => process.exit())
process.send?.({ url: server.url, port: server.port })
