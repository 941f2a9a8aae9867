import { randomBytes } from 'node:crypto'

export type User = { id: string; name: string; documents: string[] | 'all' }

const documents: Record<string, User['documents']> = { ada: ['budget', 'plan'], grace: ['plan'], editor: 'all' }
const sessions = new Map<string, User>()

/** Creates a session and returns the value of its cookie. */
export function signIn(name: string): string {
  const id = name.toLowerCase()
  const session = randomBytes(16).toString('base64url')
  sessions.set(session, { id, name, documents: documents[id] ?? [] })
  return session
}

export function userOf(cookies = ''): User | null {
  const [, session] = /(?:^|; )session=([\w-]+)/.exec(cookies) ?? []
  return (session && sessions.get(session)) || null
}

export const mayOpen = ({ documents }: User, document: string) => documents === 'all' || documents.includes(document)
