import type { CSSProperties } from 'react'
import type { UiLabels } from './labels.js'
import type { UiMember } from './ui-types.js'

/** The props of every component of the kit. */
export interface UiProps<M extends UiMember = UiMember> {
  /** Added to the component's own `hb-*` class. */
  className?: string | undefined
  style?: CSSProperties | undefined
  /** Replaces words of the component, to translate it or to read names from another profile. */
  labels?: Partial<UiLabels<NoInfer<M>>> | undefined
}

/** Returns the class of a component and the app's own after it. */
export const classes = (own: string, given: string | undefined): string => (given ? `${own} ${given}` : own)
