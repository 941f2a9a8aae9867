import { frozen } from '../../shared/frozen.js'
import type { GetLocationsOutput } from '../../shared/call-types.js'
import type { FeatureInfo } from '../../shared/events.js'
import type { Frame } from '../rooms/frames.js'

/*
 * Answers of `getLocations` that are a frame of the room. Our HTTP middleware sends the frame's bytes, which are made
 * once for all callers. Without this file, tRPC serializes each answer anew, with the same result.
 */

const frames = new WeakMap<object, AnsweredFrame>()
const queries = new WeakSet<object>()

/** A frame, and the hub's feature information, which is part of the same answer. */
type AnsweredFrame = { frame: Frame; features: FeatureInfo }

/** Returns the answer that consists of a frame and the hub's feature information. */
export function answerWith(frame: Frame, features: FeatureInfo): GetLocationsOutput {
  const answer = { id: frame.id, event: frozen(frame.event), ...frozen(features) }
  frames.set(answer, { frame, features })
  return answer
}

/** Returns the frame of an answer; `undefined` when it is another value, for example one that a middleware made. */
export const frameOf = (answer: unknown): AnsweredFrame | undefined =>
  typeof answer === 'object' && answer !== null ? frames.get(answer) : undefined

/** Marks a query that answers with frames. */
export const markFrameQuery = (procedure: object): void => void queries.add(procedure)
/** Returns whether a procedure is a query that answers with frames. */
export const isFrameQuery = (procedure: object): boolean => queries.has(procedure)
