import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { LocationServerOptions } from '../server/standalone/index.js'
import type { Schema } from '../shared/index.js'
import { exitCode, Failure } from './failure.js'

/** Options of `createLocationServer`. The command line does not know their types. */
export type ServerConfig = Partial<LocationServerOptions<Schema, Schema>>

const example =
  'export default { location: cellLocation, broadcasts: { reaction: z.strictObject({ emoji: z.string() }) } }'

/**
 * Loads the options of a server from a JavaScript file: its default export.
 *
 * @throws Failure with exit code 2, which says what is wrong with the file.
 */
export async function loadServerConfig(file: string): Promise<ServerConfig> {
  const path = resolve(file)
  if (!existsSync(path)) throw wrong(`${file} does not exist: --config takes a JavaScript file such as hub.mjs.`)
  const { default: config } = await load(file, path)
  if (config === undefined) throw wrong(`${file} has no default export. Write: ${example}`)
  if (Object.prototype.toString.call(config) !== '[object Object]' || 'hub' in (config as object))
    throw wrong(`The default export of ${file} must be the options of createLocationServer. Write: ${example}`)
  if (!('location' in (config as object)))
    throw wrong(`The default export of ${file} has no location: give the schema of a location. Write: ${example}`)
  return config as ServerConfig
}

async function load(file: string, path: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(path).href)) as { default?: unknown }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const advice =
      code === 'ERR_MODULE_NOT_FOUND' ? ' Install what it imports beside it: npm install hereabouts zod.' : ''
    throw wrong(`${file} could not be loaded: ${message}.${advice}`, cause)
  }
}

const wrong = (message: string, cause?: unknown) => new Failure(exitCode.usage, message, cause)

/** Names the file in an error about its options. */
export function configFailure(file: string, thrown: unknown): unknown {
  return thrown instanceof Error ? wrong(`${file}: ${thrown.message}`, thrown) : thrown
}
