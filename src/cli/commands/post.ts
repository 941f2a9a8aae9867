import { createInterface } from 'node:readline'
import { LocationError } from '../../client/index.js'
import type { Clock } from '../../server/index.js'
import type { Activity, PostLocationOutput } from '../../shared/index.js'
import { jsonAdvice, locationExample } from '../arguments.js'
import { exitCode, Failure } from '../failure.js'
import { aborted, eitherOf, interruption, pause } from '../interruption.js'
import type { Output } from '../output.js'
import { placeText } from '../location-text.js'
import { arrival, departure, farewell } from '../session.js'
import { printable } from '../printable.js'
import { followStatus } from '../status.js'
import { clientOf, mutate, type AnyRoom, type Target } from '../target.js'

export type PostCommand = Target & {
  room: string
  /** The location: any JSON value, or the stream from which locations are read. */
  location: { value: unknown } | { from: NodeJS.ReadableStream }
  profile: object | undefined
  presence?: object
  activity?: Activity
  key?: string
  memberKey?: string
  /** The lease that a post asks for, in seconds. */
  lease?: number
  stay?: boolean
}

/** Posts a location: once, once for each line of stdin, or with `--stay` as a member that stays until Ctrl-C. */
export async function post(command: PostCommand, output: Output, clock: Clock): Promise<void> {
  if (command.stay) return stay(command, output, clock)
  if ('value' in command.location) {
    await postOnce(command, command.location.value, command.key, output)
    return
  }
  const signal = interruption(clock)
  let key = command.key
  for await (const location of locationsIn(command.location.from, signal))
    key = (await patiently(() => postOnce(command, location, key, output), signal, clock)) ?? key
}

/** Posts one location. Returns the key for the next post, if the server issued one. */
async function postOnce(command: PostCommand, location: unknown, key: string | undefined, output: Output) {
  const { room, profile, presence, activity, memberKey, lease } = command
  const leaseMs = lease === undefined ? undefined : lease * 1_000
  const input = { room, location, connectionKey: key, memberKey, profile, presence, activity, leaseMs }
  const reply = await mutate<PostLocationOutput>(command, 'postLocation', input)
  const isShown = reply.outcome === 'applied' || reply.outcome === 'same'
  const where = `${placeText(location)} in ${printable(room)}`
  const keyText =
    reply.connectionKey === undefined ? '' : output.style('dim', `  (next post: --key ${reply.connectionKey})`)
  output.say('posted', { room, location, ...reply }, isShown ? `${reply.outcome}: ${where}${keyText}` : null)
  if (!isShown) throw new Failure(exitCode.refused, advice[reply.outcome as keyof typeof advice])
  return reply.connectionKey
}

const advice = {
  stale: 'stale: a newer post of this key has already been applied; post again.',
  expired: 'expired: the lease of this key has expired; post again.',
  left: 'left: this key has left the room and stays blocked; post without --key to get a new one.',
}

/** Runs `act` again when the server's rate limit says how long to wait: a pipeline may be faster than the limit. */
async function patiently<T>(act: () => Promise<T>, signal: AbortSignal, clock: Clock): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof LocationError) || error.retryAfterMs === undefined) throw error
      await pause(error.retryAfterMs, signal, clock)
    }
  }
  return undefined
}

async function stay(command: PostCommand, output: Output, clock: Clock): Promise<void> {
  const signal = interruption(clock)
  const client = clientOf(command, clock)
  const { room: id, profile, presence, activity, location } = command
  const closed = new AbortController()
  let room: AnyRoom | undefined
  let staying: Promise<void> | undefined
  const enter = async (first: unknown) => {
    room = client.join(id, { location: first, ...(profile && { profile }) })
    if (activity) room.update({ activity })
    // The type of the value is `never`, because the schemas are unknown here.
    if (presence) room.setPresence(presence as never)
    const { begun } = followStatus(room, { target: command, output, clock })
    await arrival({ room, target: command, signal, clock })
    if (signal.aborted) return
    await Promise.race([room.flush(), aborted(signal)])
    if (signal.aborted) return
    output.say(
      'entered',
      { room: id, memberId: room.self?.memberId, location: first },
      `in ${printable(id)}, at ${placeText(first)}: Ctrl-C leaves`,
    )
    begun()
    // A room that closes ends the command, also while more locations are awaited.
    staying = departure({ room, target: command, signal })
    staying.catch(() => closed.abort())
  }
  try {
    if ('value' in location) await enter(location.value)
    else
      for await (const next of locationsIn(location.from, eitherOf(signal, closed.signal))) {
        if (room) room.post(next)
        else await enter(next)
      }
    await staying
  } finally {
    output.tidy()
    await farewell([client], clock)
  }
  if (room) output.say('left', { room: id }, `left ${printable(id)}`)
}

/** Yields one location per line and skips empty lines. @throws Failure at the first line that is not JSON. */
async function* locationsIn(input: NodeJS.ReadableStream, signal: AbortSignal): AsyncGenerator {
  const lines = createInterface({ input, signal })
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line.trim() === '') continue
    yield parsed(line, number)
  }
}

function parsed(line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new Failure(
      exitCode.usage,
      `Line ${number}: ${jsonAdvice(line, error as SyntaxError, locationExample)}`,
      error,
    )
  }
}
