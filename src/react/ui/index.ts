/**
 * Components that show who is where: avatars, cursors, flags, notices. Import `hereabouts/react/ui.css` once for their looks.
 *
 * @module hereabouts/react/ui
 */
'use client'

export { Announcer, type AnnouncerProps } from './announcer.js'
export { type AvatarProps } from './avatar.js'
export { AvatarStack, type AvatarStackProps } from './avatar-stack.js'
export { ConnectionNotice, type ConnectionNoticeProps } from './connection-notice.js'
export { type Point } from './cursor-layer.js'
export { Cursors, type CursorProps, type CursorsProps } from './cursors.js'
export { EditingBadge, type EditingBadgeProps, type EditingInputProps, type UiLock } from './editing-badge.js'
export { type UiLabels } from './labels.js'
export { MemberFlag, type MemberFlagProps } from './member-flag.js'
export { type UiProps } from './props.js'
export { type UiMember, type UiRoom } from './ui-types.js'
