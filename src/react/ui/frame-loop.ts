/** Advances one animation by a time in milliseconds. Returns false when it has ended. */
export type Animation = (elapsedMs: number) => boolean

const running = new Set<Animation>()
let lastFrameAt: number | null = null
/** The frame that is requested. */
let frame: number | null = null

/** Runs an animation in the one frame loop of the page. The loop stops when the last animation has ended. */
export function animate(animation: Animation): void {
  running.add(animation)
  frame ??= requestAnimationFrame(nextFrame)
}

/** Ends an animation. */
export function cancelAnimation(animation: Animation): void {
  running.delete(animation)
  if (running.size > 0 || frame === null) return
  cancelAnimationFrame(frame)
  frame = lastFrameAt = null
}

function nextFrame(now: number): void {
  frame = null
  // The first frame has no frame before it: the usual time between two frames is assumed.
  const elapsedMs = lastFrameAt === null ? 16 : now - lastFrameAt
  lastFrameAt = now
  for (const animation of running) if (!animation(elapsedMs)) running.delete(animation)
  if (running.size > 0) frame ??= requestAnimationFrame(nextFrame)
  else lastFrameAt = null
}
