import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { Logger } from '../options/logger.js'

type WebAppOptions = {
  /** A folder of files to serve. */
  folder: string | undefined
  /** Returns the text that `/readyz` answers; anything but `ready` is a 503. */
  readiness: () => string
  logger: Logger
}

const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' https: data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** Returns the Express app for every path outside `/trpc`: `/livez`, `/readyz`, static files, 404 and errors. */
export function createWebApp({ folder, readiness, logger }: WebAppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.get('/livez', (_request, response) => void response.type('text').send('ok\n'))
  app.get('/readyz', (_request, response) => {
    const state = readiness()
    const isReady = state === 'ready'
    response
      .status(isReady ? 200 : 503)
      .type('text')
      .send(isReady ? 'ok\n' : `${state}\n`)
  })
  if (folder !== undefined) app.use(staticFiles(folder))
  app.use((_request, response) => void response.status(404).json({ error: 'Not found.' }))
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    const isServerError = !(error instanceof Error && 'status' in error && error.status === 400)
    if (isServerError) logger.error('a request failed', { error })
    response
      .status(isServerError ? 500 : 400)
      .json({ error: isServerError ? 'The request failed.' : 'The URL is malformed.' })
  })
  return app
}

function staticFiles(folder: string) {
  return express.static(folder, {
    setHeaders: (response) => void response.setHeader('content-security-policy', contentSecurityPolicy),
  })
}

/**
 * Returns the absolute path of the static folder if it has no `index.html`; `null` if it has one, or if no folder is
 * configured.
 */
export const emptyFolderOf = (folder: string | undefined): string | null =>
  folder === undefined || existsSync(join(folder, 'index.html')) ? null : resolve(folder)
