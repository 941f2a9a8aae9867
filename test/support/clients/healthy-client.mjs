// @ts-check
// A worker thread that posts moves continuously, and records the duration and the status of each answer.
import { Agent, request } from 'node:http'
import { setTimeout as passing } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

const { url, everyMs } = workerData
const agent = new Agent({ keepAlive: true })
const headers = { 'content-type': 'application/json' }
const connectionKey = 'healthy-client-is-here'
/** @type {{ tookMs: number[], statuses: number[] }} */
let taken = { tookMs: [], statuses: [] }

/** @param {number} seq @returns {Promise<number>} */
const post = (seq) =>
  new Promise((resolve) => {
    const asked = request(`${url}/postLocation`, { method: 'POST', headers, agent }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    )
    asked.on('error', () => resolve(0))
    asked.end(
      JSON.stringify({ room: 'healthy', connectionKey, seq, location: { sheet: 'Q3', row: seq % 1_000, col: 1 } }),
    )
  })

parentPort?.on('message', () => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  parentPort?.postMessage(taken)
  taken = { tookMs: [], statuses: [] }
})

for (let seq = Date.now(); ; seq++) {
  const startedAt = performance.now()
  const status = await post(seq)
  taken.tookMs.push(performance.now() - startedAt)
  if (status !== 200) taken.statuses.push(status)
  await passing(everyMs)
}
