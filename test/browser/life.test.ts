import { lives } from './life.js'

// The same at length: npm run soak:browser. A reload is to be quicker than the grace, and the rest is to be over soon.
lives('a page in somebody’s hands', {
  reloads: 5,
  duplicates: 5,
  returns: 3,
  crashes: 1,
  offlineMs: [1_500, 2_500],
  hiddenMs: 6_500,
  timing: { scale: 1 / 5, graceMaxMs: 3_000 },
  hiddenTiming: { scale: 1 / 10 },
  talks: false,
})
