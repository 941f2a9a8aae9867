import { Session } from 'node:inspector/promises'
import { writeFile } from 'node:fs/promises'

/*
 * Reports the address of a server under test and, when asked, its resource usage, which only the process itself can
 * measure exactly.
 */
export function metered(url) {
  const answers = { usage, settle, profile, saveProfile }
  const answer = async ({ ask, ...options }) => process.send(await answers[ask](options))
  process.on('message', (question) => void answer(question))
  // The process of the benchmark has ended.
  process.on('disconnect', () => process.exit(0))
  process.send({ url })
}

/** Returns the CPU time of all threads of the process, so that work in other threads counts too. */
function usage() {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1_000, at: Number(process.hrtime.bigint()) / 1e6 }
}

/** Returns the memory usage after a garbage collection. */
function settle() {
  for (let i = 0; i < 3; i++) globalThis.gc()
  const { heapUsed, rss, external } = process.memoryUsage()
  return { heap: heapUsed, rss, external }
}

let session

async function profile() {
  session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
  return {}
}

async function saveProfile({ path }) {
  const { profile } = await session.post('Profiler.stop')
  await writeFile(path, JSON.stringify(profile))
  return {}
}
