import { useEffect, useLayoutEffect } from 'react'

/** A layout effect. Nothing is mounted on a server, and React 18 warns about layout effects there. */
export const useMountEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect
