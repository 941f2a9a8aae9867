import { LocationError, type RoomStatus } from '../client/index.js'
import type { Clock } from '../server/index.js'
import { exitCode, Failure, failureOf } from './failure.js'
import { aborted } from './interruption.js'
import type { AnyClient, AnyWatch, Target } from './target.js'

/** What a command has to do with a room: from its first snapshot to its end. */
export type Presence = { room: AnyWatch; target: Target; signal: AbortSignal; clock: Clock }

/**
 * Resolves when the room is there, or when aborted.
 *
 * @throws Failure when it is refused, or was not there in time: what was never there may not be what was meant.
 */
export async function arrival({ room, target, signal, clock }: Presence): Promise<void> {
  const { url, timeout } = target
  const failure = (thrown: unknown) => failureOf(thrown, url)
  let settle = () => {}
  const settled = new Promise<void>((resolve, reject) => {
    let last: Error = silence(target)
    const callOff = clock.after(timeout * 1_000, () => reject(failure(last)))
    const hear = (status: RoomStatus) => {
      if (status.state !== 'waiting') return
      last = status.error
      // The client would go on; but a 404 is rather a wrong address than a deploy, if it is the first we hear.
      if (isRefusal(last)) reject(failure(last))
    }
    hear(room.status)
    const unlisten = room.on('status', ({ current }) => hear(current))
    void aborted(signal).then(resolve)
    room.ready().then(resolve, (error: unknown) => reject(failure(error)))
    settle = () => {
      callOff()
      unlisten()
    }
  })
  await settled.finally(settle)
}

/** Resolves when aborted. @throws Failure when the room ends before that: access was taken back, say. */
export async function departure({ room, target, signal }: Omit<Presence, 'clock'>): Promise<void> {
  let unlisten = () => {}
  const ended = new Promise<void>((resolve, reject) => {
    unlisten = room.on('error', ({ error }) => {
      if (room.status.state === 'closed') reject(failureOf(error, target.url))
    })
    void aborted(signal).then(resolve)
  })
  await ended.finally(unlisten)
}

/** Leaves every room; a server that does not answer is not waited for longer than a second. */
export async function farewell(clients: readonly AnyClient[], clock: Clock): Promise<void> {
  const closed = Promise.all(clients.map((client) => client.close()))
  const late = new Promise<void>((resolve) => clock.after(1_000, resolve))
  await Promise.race([closed, late])
}

const isRefusal = (error: Error) =>
  error instanceof LocationError &&
  !['network', 'unavailable', 'rate-limited', 'unauthorized', 'connection-owned'].includes(error.code)

const silence = ({ url, timeout }: Target) =>
  new Failure(
    exitCode.unreachable,
    `${url} did not answer within ${timeout} s: is it a location server? --timeout gives it longer.`,
  )
