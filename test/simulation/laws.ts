import type { Action, Outcome, RoomState } from 'hereabouts/server'
import { BroadcastWatch } from './broadcast-watch.js'
import { LockWatch } from './lock-watch.js'
import type { StoreWatch } from './sim-redis.js'
import { ViewWatch } from './view-watch.js'

/** The laws that are checked in one run of the simulation. */
export class Laws implements StoreWatch {
  readonly locks = new LockWatch()
  readonly broadcasts = new BroadcastWatch()
  readonly views = new ViewWatch()

  lost(claimsUntil: number): void {
    this.locks.lost(claimsUntil)
  }

  acted(actions: readonly Action[], outcomes: readonly Outcome[], state: RoomState, now: number): void {
    this.locks.acted(actions, outcomes, state, now)
    this.views.acted(state)
  }

  get wrongs(): string[] {
    return [...this.locks.wrongs, ...this.broadcasts.wrongs]
  }
}
