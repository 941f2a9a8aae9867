/**
 * A server, a clock, a faulty network and a fake room for tests, and the contract suite for backends.
 *
 * @module hereabouts/testing
 */
export {
  locationContract,
  type ContractCase,
  type ContractContext,
  type ContractSocket,
  type ContractTarget,
  type ContractTiming,
} from './contract.js'
export {
  fakeRoom,
  type FakeBroadcasts,
  type FakeMember,
  type FakeRoom,
  type FakeRoomCore,
  type FakeRoomOptions,
} from './fake-room.js'
export type { SentBroadcast } from './fake-server.js'
export { faultyFetch, skewedClock, type Faults, type FaultyFetch } from './faults.js'
export { manualClock, type ManualClock } from './manual-clock.js'
export { serveLocations, type ServedLocations, type ServeLocationsOptions } from './serve-locations.js'
