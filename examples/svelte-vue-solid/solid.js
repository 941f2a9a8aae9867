import { createLocationPrimitives } from 'hereabouts/solid'
import { client } from './locations.js'

export const { RoomProvider, useOthers, useRoom, useStatus } = createLocationPrimitives(client)
