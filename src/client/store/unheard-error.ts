import type { LocationError } from '../../shared/errors.js'

declare const process: { env: { NODE_ENV?: string } } | undefined

const warned = new Set<string>()

/**
 * Writes an error that no listener of `error` hears to the console, each message once. In production, only those that an
 * operator has to mend.
 */
export function warn({ code, message }: LocationError): void {
  const isProduction = typeof process !== 'undefined' && process.env.NODE_ENV === 'production'
  if (isProduction && code !== 'misconfigured') return
  if (warned.has(message)) return
  // A server may put a number into each sentence.
  if (warned.size < 100) warned.add(message)
  // oxlint-disable-next-line no-console
  console.warn(`hereabouts: ${message} (${code})`)
}
