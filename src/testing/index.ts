export { locationContract, type ContractCase, type ContractTarget, type ContractTiming } from './contract.js'
export { manualClock, type ManualClock } from './manual-clock.js'
export { serveLocations, type ServedLocations, type ServeLocationsOptions } from './serve-locations.js'
