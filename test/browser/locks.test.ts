import { lockLives } from './lock-lives.js'

// npm run soak:locks is the version in real time.
lockLives('a page that holds a lock, at a tenth of the usual times', { scale: 1 / 10, reloads: 3 })
