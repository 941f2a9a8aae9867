/* The code that a room loads once it is open, mostly for pages. It is one chunk, so that it costs one request. */
export { trackActivity } from '../browser/activity-tracker.js'
export { wakeUp } from './wake-up.js'
