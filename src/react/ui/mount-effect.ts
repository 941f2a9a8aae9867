import { useEffect, useLayoutEffect } from 'react'

/**
 * A layout effect. On a server, where nothing is mounted, a plain effect: React 18 warns about layout effects there.
 */
export const useMountEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect
