import { hash, randomBytes } from 'node:crypto'

/** The first 96 bits of SHA-256, as 16 base64url characters: public, and of no use to whoever would post in its name. */
const publicId = (text: string) => hash('sha256', text, 'base64url').slice(0, 16)

/** The public id of the connection that a connectionKey opens. */
export const connectionIdOf = (connectionKey: string) => publicId(`c:${connectionKey}`)

/** The public id of an anonymous member: of their memberKey, or of the one connection they have. */
export const anonymousMemberIdOf = (key: string) => publicId(`m:${key}`)

/** The one connection of a member who posts without a key. No connectionKey opens it: the prefix is another. */
export const defaultConnectionIdOf = (memberId: string) => publicId(`d:${memberId}`)

/** A connectionKey for someone who brought none: 128 random bits. */
export const generateKey = () => randomBytes(16).toString('base64url')

/** The name of a lineage of versions: 64 random bits. */
export const newEpoch = () => randomBytes(8).toString('base64url')
