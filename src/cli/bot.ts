import type { Clock } from '../server/index.js'
import { pause } from './interruption.js'
import { clientOf, type AnyClient, type AnyRoom, type Target } from './target.js'
import { pauseMs, placed, walked, type Grid, type Walker } from './walker.js'

export type BotOptions = {
  room: string
  profile: object
  grid: Grid
  /** The number of moves per second, on average. */
  rate: number
  tally: Tally
}

/** Counts of acknowledged posts, of refused posts, and of moves of other members that were seen. */
export type Tally = { posts: number; refused: number; seen: number }

/** A simulated member that moves over the sheets. Each bot has its own client. */
export class Bot {
  readonly client: AnyClient
  readonly room: AnyRoom
  readonly #options: BotOptions
  readonly #clock: Clock
  #walker: Walker

  constructor(options: BotOptions, target: Target, clock: Clock) {
    const { room, profile, grid, tally } = options
    this.#options = options
    this.#clock = clock
    this.#walker = placed(grid, Math.random)
    this.client = clientOf(target, clock)
    this.room = this.client.join(room, { location: this.#walker.cell, profile })
    this.room.on('moved', () => (tally.seen += 1))
    this.room.on('error', () => (tally.refused += 1))
  }

  async walk(signal: AbortSignal): Promise<void> {
    const { rate, grid } = this.#options
    while (!signal.aborted) {
      await pause(pauseMs(rate, Math.random), signal, this.#clock)
      // A disconnected bot does not move: nobody would see it.
      if (signal.aborted || this.room.status.state !== 'live') continue
      this.#walker = walked(this.#walker, grid, Math.random)
      this.#post()
    }
  }

  #post(): void {
    const { tally } = this.#options
    this.room.post(this.#walker.cell)
    this.room.flush().then(
      () => (tally.posts += 1),
      // The listener of the room's `error` event counts refusals.
      () => {},
    )
  }
}

const names = [
  'Ada',
  'Alan',
  'Barbara',
  'Clara',
  'Donald',
  'Edsger',
  'Frances',
  'Grace',
  'Hedy',
  'Joan',
  'Katherine',
  'Ken',
].concat(['Leslie', 'Margaret', 'Niklaus', 'Radia', 'Sophie', 'Tim', 'Tony', 'Vint'])

/** Returns a name that ends in "(bot)". From the twenty-first bot on it has a number. */
export function botName(index: number): string {
  const round = Math.floor(index / names.length) + 1
  return `${names[index % names.length]}${round > 1 ? ` ${round}` : ''} (bot)`
}
