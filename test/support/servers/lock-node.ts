import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LocationServer } from 'hereabouts/server/standalone'
import { createLocationClient } from 'hereabouts/client'
import type { CellLocation, RoomTypesWith } from 'hereabouts'
import { built } from '../built.js'

export type LockTypes = RoomTypesWith<{ location: CellLocation; locks: true; broadcasts: { note: string } }>

/** A server process with locks and broadcasts: see lock-node.mjs. */
export interface LockNode extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Asks the process to drain. Resolves when it has ended. */
  terminate(): Promise<void>
}

const script = fileURLToPath(new URL('./lock-node.mjs', import.meta.url))

export async function lockNode(options: { port?: number; redisUrl?: string; timing?: object }): Promise<LockNode> {
  built('package')
  const { port = 0, redisUrl = '', timing = {} } = options
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, PORT: String(port), REDIS_URL: redisUrl, TIMING: JSON.stringify(timing) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const [line] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer | number]
  const url = String(line).trim()
  if (!URL.canParse(url)) throw new Error(`The server process exited with ${url} before it printed its URL.`)
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  return {
    url,
    port: Number(new URL(url).port),
    terminate: () => end('SIGTERM'),
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  }
}

/** Joins a room as a member. Resolves when the room is shown and the first post is accepted. */
export async function lockMember(url: string, memberId: string, room = 'r') {
  const client = createLocationClient<LocationServer<LockTypes>['router']>({ url, headers: { 'x-member': memberId } })
  const joined = client.join(room)
  await Promise.all([joined.ready(), joined.flush()])
  return { room: joined, [Symbol.asyncDispose]: () => client.close() }
}
