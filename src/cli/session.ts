import { LocationError, type RoomStatus } from '../client/index.js'
import type { Clock } from '../server/index.js'
import { exitCode, Failure, failureOf } from './failure.js'
import { aborted } from './interruption.js'
import type { AnyClient, AnyWatch, Target } from './target.js'

/** A room that a command has opened, with the server that it is on, the signal that ends the command, and a clock. */
export type Presence = { room: AnyWatch; target: Target; signal: AbortSignal; clock: Clock }

/**
 * Resolves when the room is loaded, or when the signal aborts.
 *
 * @throws Failure when the room is refused, or not loaded within `timeout`: the address may be wrong.
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
      // The client itself would retry. But a 404 as the first answer means a wrong address rather than a deployment in
      // progress.
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

/**
 * Resolves when the signal aborts. @throws Failure when the room closes before that, for example because access was
 * revoked, or is already closed.
 */
export async function departure({ room, target, signal }: Omit<Presence, 'clock'>): Promise<void> {
  let unlisten = () => {}
  const ended = new Promise<void>((resolve, reject) => {
    const hear = (status: RoomStatus) => {
      if (status.state === 'closed' && status.error) reject(failureOf(status.error, target.url))
    }
    hear(room.status)
    unlisten = room.on('status', ({ current }) => hear(current))
    void aborted(signal).then(resolve)
  })
  await ended.finally(unlisten)
}

/** Closes the clients, which leave their rooms, and waits at most a second for the server. */
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
    `${url} did not answer within ${timeout} s: check that it is a location server, or wait longer with --timeout.`,
  )
