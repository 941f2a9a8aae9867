import { lives } from './life.js'

/* At the speed of life, with every default: npm run soak:browser, four minutes. */
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
