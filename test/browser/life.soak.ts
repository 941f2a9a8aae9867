import { lives } from './life.js'

/* In real time with default timing, for four minutes: npm run soak:browser. */
lives('a page in somebody’s hands, at length', {
  reloads: 50,
  duplicates: 20,
  returns: 20,
  crashes: 1,
  offlineMs: [10_000, 30_000, 30_000, 45_000],
  hiddenMs: 180_000,
  timing: {},
  hiddenTiming: {},
  talks: true,
})
