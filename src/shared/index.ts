export { systemClock, type Clock } from './clock.js'
export { colorOf } from './colors.js'
export { LocationError, type LocationErrorCode } from './errors.js'
export {
  cellLocation,
  memberProfile,
  pointLocation,
  rangeLocation,
  textLocation,
  type CellLocation,
  type MemberProfile,
  type PointLocation,
  type RangeLocation,
  type TextLocation,
} from './locations.js'
export {
  locationEvent,
  type Activity,
  type ByeReason,
  type Changed,
  type Connection,
  type CountMembersInput,
  type CountMembersOutput,
  type GetLocationsInput,
  type GetLocationsOutput,
  type LeaveRoomInput,
  type LeaveRoomOutput,
  type Left,
  type LeftReason,
  type LocationEvent,
  type OnLocationInput,
  type PostLocationInput,
  type PostLocationOutput,
  type PostOutcome,
  type Tracked,
} from './protocol.js'
export { applyEvent, forgetStale, View, type Applied, type Shift } from './view.js'
