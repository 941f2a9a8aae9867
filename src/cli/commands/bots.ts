import type { Clock } from '../../server/index.js'
import { Bot, botName, type Tally } from '../bot.js'
import { aborted, bounded, interruption, pause } from '../interruption.js'
import type { Output } from '../output.js'
import { count } from '../person.js'
import { arrival, departure, farewell } from '../session.js'
import { printable } from '../printable.js'
import type { Target } from '../target.js'

export type BotsCommand = Target & {
  room: string
  count: number
  sheets: string[]
  rows: number
  cols: number
  /** Moves per second of each bot. */
  rate: number
  /** The fields that every bot's profile has besides its name. */
  profile?: object
  /** The time that the bots stay, in seconds from when all have joined. */
  for?: number
}

/** Fills a room with bots that move over its sheets. Their names say that they are bots. */
export async function bots(command: BotsCommand, output: Output, clock: Clock): Promise<void> {
  const interrupted = interruption(clock)
  const { room, rate, profile, sheets, rows, cols } = command
  const tally: Tally = { posts: 0, refused: 0, seen: 0 }
  const began = clock.now()
  const progress = () => ({ ...tally, seconds: Math.round((clock.now() - began) / 100) / 10 })
  output.pin(`${count(command.count, 'bot', 'bots')} connecting to ${command.url}`)
  const all = Array.from({ length: command.count }, (_, index) => {
    const options = { room, rate, tally, grid: { sheets, rows, cols }, profile: { ...profile, name: botName(index) } }
    return new Bot(options, command, clock)
  })
  try {
    await Promise.all(all.map((bot) => arrival({ room: bot.room, target: command, signal: interrupted, clock })))
    // All bots post the same kind of location: if one is refused, all are.
    await Promise.race([all[0]!.room.flush(), aborted(interrupted)])
    const signal = bounded(interrupted, command.for, clock)
    for (const bot of all) void bot.walk(signal)
    void tellProgress(all, progress, { output, signal, clock })
    await departure({ room: all[0]!.room, target: command, signal })
  } finally {
    output.tidy()
    await farewell(
      all.map(({ client }) => client),
      clock,
    )
  }
  const { seconds } = progress()
  const left = `${count(all.length, 'bot', 'bots')} left ${printable(room)} after ${seconds} s`
  output.say('done', { room, bots: all.length, ...progress() }, `${left}: ${tallyText(tally)}`)
}

type Progress = Tally & { seconds: number }
type Telling = { output: Output; signal: AbortSignal; clock: Clock }

/** Reports progress once a second: as JSON lines, or by updating the last line of a terminal. */
async function tellProgress(all: Bot[], progress: () => Progress, { output, signal, clock }: Telling): Promise<void> {
  const { id } = all[0]!.room
  output.pin('')
  output.say(
    'live',
    { room: id, bots: all.length },
    `${count(all.length, 'bot moves', 'bots move')} in ${printable(id)}: Ctrl-C stops`,
  )
  while (!signal.aborted) {
    await pause(1_000, signal, clock)
    if (signal.aborted) return
    const now = progress()
    const live = all.filter(({ room }) => room.status.state === 'live').length
    if (output.isJson) output.say('progress', { room: id, bots: all.length, live, ...now }, null)
    else output.pin(`${live} of ${all.length} live, ${Math.round(now.seconds)} s: ${tallyText(now)}`)
  }
}

function tallyText({ posts, refused, seen }: Tally): string {
  const refusals = refused > 0 ? `, ${count(refused, 'refusal', 'refusals')}` : ''
  return `${count(posts, 'post', 'posts')}, ${count(seen, 'move', 'moves')} seen${refusals}`
}
