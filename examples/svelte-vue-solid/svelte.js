import { createLocationStores } from 'hereabouts/svelte'
import { client } from './locations.js'

export const { provideRoom, useOthers, useStatus } = createLocationStores(client)
