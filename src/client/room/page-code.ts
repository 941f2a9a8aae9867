/* What a browser's page loads for its rooms: one chunk, so that it is one request. */
export { trackActivity } from '../browser/activity-tracker.js'
export { wakeUp } from './wake-up.js'
