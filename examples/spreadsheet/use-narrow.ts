import { useSyncExternalStore } from 'react'

const narrow = window.matchMedia('(max-width: 40rem)')

function subscribe(run: () => void) {
  narrow.addEventListener('change', run)
  return () => narrow.removeEventListener('change', run)
}

/** True in a window as narrow as a phone. */
export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => narrow.matches)
