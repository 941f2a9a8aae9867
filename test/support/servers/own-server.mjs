// @ts-check
// A server with metrics as an app would write it, which drains on a signal. Prints JSON lines: its URLs, and the drain.
import { cellLocation } from 'hereabouts'
import { createLocationServer, drainOnSignals } from 'hereabouts/server/standalone'
import { prometheusMetrics } from 'hereabouts/server/prometheus'

const { DRAIN_MS = '20000' } = process.env
const metrics = prometheusMetrics()
const timing = { drainMs: Number(DRAIN_MS) }
const server = createLocationServer({ location: cellLocation, anonymous: true, metrics, timing })
/** @param {string} type @param {object} details */
const say = (type, details) => console.log(JSON.stringify({ type, ...details }))
const { trpcUrl } = await server.listen(0)
const measured = await metrics.listen(0)
drainOnSignals(server, (signal) => say('draining', { signal }))
say('listening', { url: trpcUrl, metrics: measured.url })
