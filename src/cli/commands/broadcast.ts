import { randomBytes } from 'node:crypto'
import { LocationError } from '../../client/index.js'
import type { BroadcastToRoomOutput, PostLocationOutput } from '../../shared/index.js'
import { exitCode, Failure } from '../failure.js'
import type { Output } from '../output.js'
import { printable } from '../printable.js'
import { mutate, type Target } from '../target.js'

export type BroadcastCommand = Target & {
  room: string
  /** The name of the broadcast. */
  broadcast: string
  payload: unknown
  /** The memberId of the only member who receives the broadcast. Default: everybody. */
  to?: string
  /** The key of a connection that is in the room. Default: a new connection enters, sends the broadcast and leaves. */
  key?: string
  name?: string
}

/**
 * The longest time since its last use that a connection may post. A connection that enters with it does not become the
 * one that speaks for its member, so no other window of the member moves.
 */
const dayMs = 86_400_000

/** Sends one broadcast to everybody who sees a room now. */
export async function broadcast(command: BroadcastCommand, output: Output): Promise<void> {
  const { room, key } = command
  const connectionKey = key ?? randomBytes(16).toString('base64url')
  const enters = key === undefined
  if (enters) await enter(command, connectionKey)
  try {
    await send(command, connectionKey, output)
  } finally {
    if (enters) await mutate(command, 'leaveRoom', { room, connectionKey }).catch(() => {})
  }
}

/** Enters the room for a moment, because only a connection that is in the room may send. */
async function enter(command: BroadcastCommand, connectionKey: string): Promise<void> {
  const { room, name } = command
  const profile = name === undefined ? undefined : { name }
  const input = { room, connectionKey, location: null, profile, activeAgoMs: dayMs }
  await mutate<PostLocationOutput>(command, 'postLocation', input)
}

async function send(command: BroadcastCommand, connectionKey: string, output: Output): Promise<void> {
  const { room, broadcast: name, payload, to } = command
  const { outcome } = await mutate<BroadcastToRoomOutput>(command, 'broadcastToRoom', {
    room,
    connectionKey,
    name,
    payload,
    to,
  }).catch((error: unknown) => {
    throw isMissing(error) ? new Failure(exitCode.refused, noBroadcasts, error) : error
  })
  if (outcome === 'absent')
    throw new Failure(
      exitCode.refused,
      'absent: the connection of this key is not in the room; post again, or omit --key.',
    )
  const text = `sent: ${printable(name)} to ${to === undefined ? 'everybody' : printable(to)} in ${printable(room)}`
  output.say('sent', { room, broadcast: name, payload, to }, text)
}

const noBroadcasts = 'This server has no broadcasts: give its hub `broadcasts`, the schemas of their payloads by name.'

/**
 * True when the location router has no procedure for broadcasts. The router has already answered the post, so its
 * address is right.
 */
const isMissing = (error: unknown) =>
  error instanceof LocationError && error.code === 'bad-input' && error.message.startsWith('No procedure found')
