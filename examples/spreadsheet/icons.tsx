import type { ReactNode } from 'react'

const Icon = ({ children }: { children: ReactNode }) => (
  <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    {children}
  </svg>
)

/** The icon of the app: a cell with a member in it. */
export const Mark = () => (
  <svg className="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
    <path className="mark-cell" d="M3 9h18v12H3z" />
    <path className="mark-flag" d="M2 3h11v6H2z" />
  </svg>
)

export const LinkIcon = () => (
  <Icon>
    <path d="M6.5 9.5l3-3M7 4.5l1.6-1.6a3 3 0 014.3 4.3L11.5 9M9 11.500l-1.600 1.600a3 3 0 01-4.300-4.300L4.500 7.200" />
  </Icon>
)

export const LogIcon = () => (
  <Icon>
    <path d="M2.500 3.500h11v9h-11zM10 3.500v9M4.500 6.200h3M4.500 8.500h3" />
  </Icon>
)

export const CloseIcon = () => (
  <Icon>
    <path d="M4 4l8 8M12 4l-8 8" />
  </Icon>
)

export const PencilIcon = () => (
  <Icon>
    <path d="M3 13l.6-2.800 7.200-7.200 2.200 2.200-7.200 7.200zM9.600 4.200l2.200 2.200" />
  </Icon>
)

/** An eye, for "look here". */
export const LookIcon = () => (
  <Icon>
    <path d="M1.500 8c1.600-2.800 3.800-4.200 6.500-4.200s4.900 1.400 6.500 4.200c-1.600 2.800-3.800 4.200-6.500 4.200s-4.900-1.400-6.500-4.200zM8 6.200a1.800 1.800 0 110 3.600 1.800 1.800 0 010-3.600" />
  </Icon>
)

export const SmileIcon = () => (
  <Icon>
    <path d="M8 1.800a6.200 6.200 0 110 12.400 6.200 6.200 0 010-12.400M5.300 9.300c.6 1.200 1.500 1.800 2.700 1.800s2.100-.6 2.700-1.800M6 6v.6M10 6v.6" />
  </Icon>
)

export const ResetIcon = () => (
  <Icon>
    <path d="M3.200 6.200a5.200 5.200 0 11-.3 3M3 2.800v3.500h3.500" />
  </Icon>
)
