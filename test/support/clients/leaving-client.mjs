// @ts-check
// A member of a room until a signal ends this process: node leaving-client.mjs URL
import { createLocationClient } from 'hereabouts/client'

/** @type {import('hereabouts/client').LocationClient<any>} */
const client = createLocationClient(/** @type {never} */ ({ url: process.argv[2] ?? '', leaveOnExit: true }))
const room = client.join('r', { profile: { name: 'Ada' } })
await room.flush()
if (process.argv[3] === 'own handler') process.on('SIGTERM', () => setTimeout(() => process.exit(7), 500))
console.log('here')
