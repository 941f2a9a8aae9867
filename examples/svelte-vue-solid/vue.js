import { createLocationComposables } from 'hereabouts/vue'
import { client } from './locations.js'

export const { provideRoom, useOthers, useStatus } = createLocationComposables(client)
