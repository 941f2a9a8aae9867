import { simulatePart } from './seeds.js'

simulatePart(2)
