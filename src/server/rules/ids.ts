import { hash, randomBytes } from 'node:crypto'

/**
 * Derives a public id: the first 96 bits of SHA-256, as 16 base64url characters. Public ids grant no access, because
 * they do not reveal the key from which they are derived.
 */
const publicId = (text: string) => hash('sha256', text, 'base64url').slice(0, 16)

/** Derives the public id of a connection from its connectionKey. */
export const connectionIdOf = (connectionKey: string) => publicId(`c:${connectionKey}`)

/** Derives the public id of an anonymous member from their memberKey, or else from their only connectionKey. */
export const anonymousMemberIdOf = (key: string) => publicId(`m:${key}`)

/**
 * The connection id of a member who posts without a key. The prefix differs from that of `connectionIdOf`, so no
 * connectionKey leads to this id.
 */
export const defaultConnectionIdOf = (memberId: string) => publicId(`d:${memberId}`)

/** Generates a connectionKey for a caller without one: 128 random bits. */
export const generateKey = () => randomBytes(16).toString('base64url')

/** Generates the epoch of a room: 64 random bits. Versions are comparable only within one epoch. */
export const newEpoch = () => randomBytes(8).toString('base64url')
