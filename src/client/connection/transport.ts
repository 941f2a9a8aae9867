import type { Clock } from '../../shared/clock.js'
import type {
  GetLocationsInput,
  GetLocationsOutput,
  LeaveRoomInput,
  PostLocationInput,
  PostLocationOutput,
} from '../../shared/call-types.js'
import type { OpenSubscription } from './subscription.js'
import type { ShareStream } from './shared-tab-stream.js'

/** A client's way to its server, and what else its rooms have in common. */
export interface Transport<L, P> {
  url: string
  openStream: OpenSubscription<L, P>
  /** One stream for all tabs of this browser that are the same member, where there are such things as tabs. */
  shareStream: ShareStream<L, P> | null
  ask(input: GetLocationsInput, deadlineMs: number): Promise<GetLocationsOutput<L, P>>
  post(input: PostLocationInput<L, P>, deadlineMs: number): Promise<PostLocationOutput>
  leave(input: LeaveRoomInput, deadlineMs: number): Promise<unknown>
  memberKey: string
  clock: Clock
  lostMs: number
  idleMs: number
  awayMs: number
  /** Told what a listener threw. */
  report(thrown: unknown): void
}
