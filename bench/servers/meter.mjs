import { Session } from 'node:inspector/promises'
import { writeFile } from 'node:fs/promises'

/*
 * What every server under test does beside serving: it says where it is, and answers what it has used. Only the process
 * itself can say so exactly.
 */
export function metered(url) {
  const answers = { usage, settle, profile, saveProfile }
  const answer = async ({ ask, ...options }) => process.send(await answers[ask](options))
  process.on('message', (question) => void answer(question))
  // The bench is gone: nobody will ask again.
  process.on('disconnect', () => process.exit(0))
  process.send({ url })
}

/** CPU of the whole process, every thread of it, so that what is moved to another thread still counts. */
function usage() {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1_000, at: Number(process.hrtime.bigint()) / 1e6 }
}

/** Memory with the garbage gone. */
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
