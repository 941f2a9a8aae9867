import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Readings } from '../../../src/server/options/metrics.js'
import { built } from '../built.js'

export type Report = {
  logged: { level: string; message: string }[]
  prototypes: string[]
  cpuMs: number
  handles: number
  readings: Readings
}

/** A server in its own process, so that a test can overload it without affecting the test process. */
export interface LoneServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  report(): Promise<Report>
  /** Resolves with the bytes of heap in use after a garbage collection, which takes a while. */
  heapUsed(): Promise<number>
  /** Makes the process open files until its limit is reached. Resolves with how many. */
  exhaust(): Promise<number>
  /** Changes all members of the room `stirred`, which makes a frame of about 200 KB. Resolves with a report. */
  stir(): Promise<Report>
  readonly hasEnded: boolean
}

const script = fileURLToPath(new URL('./lone-server.mjs', import.meta.url))

/** @param openFiles the largest number of files that the process may have open. */
export async function loneServer({
  openFiles,
  ...options
}: {
  openFiles?: number
  limits?: object
  timing?: object
}): Promise<LoneServer> {
  built('package')
  const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `
  const child = spawn('bash', ['-c', `${limit}exec "$0" --expose-gc "$1"`, process.execPath, script], {
    env: { ...process.env, OPTIONS: JSON.stringify(options) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  let hasEnded = false
  const ended = once(child, 'exit').then(() => (hasEnded = true))
  const told = async <T>(): Promise<T> => (await once(child, 'message', { signal: AbortSignal.timeout(20_000) }))[0] as T // prettier-ignore
  const ask = <T>(question: string) => (child.send(question), told<T>())
  const { url, port } = await told<{ url: string; port: number }>()
  return {
    url,
    port,
    report: () => ask('report'),
    heapUsed: () => ask('heapUsed'),
    stir: () => ask('stir'),
    exhaust: () => ask('exhaust'),
    get hasEnded() {
      return hasEnded
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
