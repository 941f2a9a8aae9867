import { pointLocation } from 'hereabouts'
import { createLocationServer } from 'hereabouts/server/standalone'
import { liftedLimits, liftedTiming } from './lifted.mjs'
import { metered } from './meter.mjs'

const server = createLocationServer({
  location: pointLocation,
  anonymous: true,
  limits: liftedLimits,
  timing: liftedTiming,
  webSocket: true,
})
const { url } = await server.listen(0)
metered(url)
