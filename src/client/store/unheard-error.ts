import type { LocationError } from '../../shared/errors.js'

declare const process: { env: { NODE_ENV?: string } } | undefined

const warned = new Set<string>()

/**
 * Writes an error to the console, for an app without a listener of `error`. Each message is written once. In
 * production, only `misconfigured` errors are written, which an operator has to fix.
 */
export function warn({ code, message }: LocationError): void {
  const isProduction = typeof process !== 'undefined' && process.env.NODE_ENV === 'production'
  if (isProduction && code !== 'misconfigured') return
  if (warned.has(message)) return
  // At most 100 messages are remembered, because a server may put a different number into each message.
  if (warned.size < 100) warned.add(message)
  // oxlint-disable-next-line no-console
  console.warn(`hereabouts: ${message} (${code})`)
}
