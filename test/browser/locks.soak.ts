import { lockLives } from './lock-lives.js'

/* In real time with default timing, for five minutes: npm run soak:locks. */
lockLives('a page that holds a lock', { scale: 1, reloads: 20 })
