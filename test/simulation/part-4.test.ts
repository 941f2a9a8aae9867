import { simulatePart } from './seeds.js'

simulatePart(4)
