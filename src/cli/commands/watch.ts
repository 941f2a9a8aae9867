import type { Clock } from '../../server/index.js'
import { bounded, eitherOf, interruption } from '../interruption.js'
import type { Output } from '../output.js'
import {
  count,
  nameOf,
  nameText,
  personRecord,
  personText,
  presenceText,
  senderText,
  shownPresence,
} from '../person.js'
import { placeText } from '../location-text.js'
import { locksIn, type LockList } from '../locks.js'
import { arrival, departure, farewell } from '../session.js'
import { printable } from '../printable.js'
import { followStatus } from '../status.js'
import { clientOf, onAnyBroadcast, type AnyMember, type AnyWatch, type Target } from '../target.js'

export type WatchCommand = Target & {
  room: string
  /** Ends after the first snapshot. */
  once?: boolean
  /** Ends after this many events, or this many seconds in the room. */
  count?: number
  for?: number
}

/** Prints the members of a room and what they do, until it is stopped. */
export async function watch(command: WatchCommand, output: Output, clock: Clock): Promise<void> {
  const interrupted = interruption(clock)
  const client = clientOf(command, clock)
  const room = client.watch(command.room)
  try {
    const { begun } = followStatus(room, { target: command, output, clock })
    await arrival({ room, target: command, signal: interrupted, clock })
    if (interrupted.aborted) return
    const locks = await locksIn(room, command, clock)
    printMembers(room, locks, output)
    if (command.once) return
    begun()
    const enough = new AbortController()
    printEvents(room, locks, output, command.count, () => enough.abort())
    const signal = eitherOf(bounded(interrupted, command.for, clock), enough.signal)
    await departure({ room, target: command, signal })
  } finally {
    output.tidy()
    await farewell([client], clock)
  }
}

function printMembers({ id, members }: AnyWatch, { held }: LockList, output: Output): void {
  const people = members.length === 0 ? 'nobody is here yet' : count(members.length, 'person', 'people')
  const title = `${output.style('bold', printable(id))} · ${people}`
  const text = [title, ...members.map((member) => personText(member, members, held, output))].join('\n')
  output.say('snapshot', { room: id, members: members.map((member) => personRecord(member, held)) }, text)
}

/** Prints each event, at most `most` of them, and then calls `enough`. */
function printEvents(room: AnyWatch, locks: LockList, output: Output, most = Infinity, enough: () => void): void {
  let printed = 0
  const print = (type: string, details: object, text: string) => {
    if (printed >= most) return
    output.say(type, { room: room.id, ...details }, `${output.time()}  ${text}`)
    printed += 1
    if (printed === most) enough()
  }
  const tell = (type: string, member: AnyMember, details: object, text: string) => {
    const { memberId, location, activity } = member
    const record = { memberId, name: nameOf(member), location, activity, ...details }
    print(type, record, `${nameText(member, room.members, output)}  ${text}`)
  }
  const verb = (word: string) => output.style('dim', word.padEnd(9))
  room.on('entered', ({ member, current }) => {
    const presence = shownPresence(member)
    tell('entered', member, { presence }, verb('entered') + placeText(current) + presenceText(presence, output))
  })
  room.on('moved', ({ member, previous, current }) =>
    tell(
      'moved',
      member,
      { previous },
      `${verb('moved')}${placeText(current)}${output.style('dim', `  from ${placeText(previous)}`)}`,
    ),
  )
  room.on('updated', ({ member, previous, current, changed }) => {
    const text = changed.includes('profile')
      ? updateText(previous.profile, current.profile)
      : output.style('dim', `is ${current.activity}`)
    tell('updated', member, { profile: current.profile, previous: previous.profile }, verb('updated') + text)
  })
  room.on('presence', ({ member, previous, current }) =>
    tell(
      'presence',
      member,
      { presence: current, previous },
      verb('presence') + printable(JSON.stringify(current), 60),
    ),
  )
  room.on('left', ({ member, previous, reason }) => {
    const where = output.style('dim', `${leftText[reason]}from ${placeText(previous)}`)
    tell('left', member, { location: null, previous, reason }, verb('left') + where)
  })
  /** Prints an event of a member, who may have left meanwhile, or of the server (`null`). */
  const tellOf = (memberId: string | null, type: string, details: object, text: string) => {
    const member = room.members.find((each) => each.memberId === memberId)
    const title = member ? nameText(member, room.members, output) : senderText(memberId, output)
    print(type, { memberId, name: member && nameOf(member), ...details }, `${title}  ${text}`)
  }
  onAnyBroadcast(room, ({ name: broadcast, payload, memberId }) => {
    const text = `${printable(broadcast)} ${printable(JSON.stringify(payload ?? null), 60)}`
    tellOf(memberId, 'broadcast', { broadcast, payload }, verb('sends') + text)
  })
  locks.follow((type, { memberId, place, fence }) =>
    tellOf(memberId, type, { place, fence }, verb(type) + placeText(place)),
  )
}

const leftText = { left: '', lost: 'connection lost, ', revoked: 'access was revoked, ' }

function updateText(previous: unknown, current: unknown): string {
  const [before, now] = [nameOf({ profile: previous }), nameOf({ profile: current })]
  return before === undefined || before === now ? 'their profile' : `was ${printable(before)}`
}
