import type { ReactNode } from 'react'

const Icon = ({ children }: { children: ReactNode }) => (
  <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    {children}
  </svg>
)

/** A cell with a member in it. */
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

export const LockIcon = () => (
  <Icon>
    <path d="M4 7.500h8v5.500H4zM5.800 7.500V5.300a2.200 2.200 0 014.400 0v2.200" />
  </Icon>
)

export const PeopleIcon = () => (
  <Icon>
    <path d="M6 7.500a2.300 2.300 0 100-4.600 2.300 2.300 0 000 4.600zM1.800 13c.2-2.300 1.900-3.700 4.200-3.700s4 1.400 4.200 3.700M10.500 7.300a2 2 0 10-.4-3.900M11.800 9.600c1.400.4 2.300 1.600 2.400 3.400" />
  </Icon>
)
