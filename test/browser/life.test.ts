import { lives } from './life.js'

// npm run soak:browser is the long version. The grace period is that of production, because a reload must be faster;
// other times are short.
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
