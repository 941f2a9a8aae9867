import { All, Controller, Inject, Req, Res, UseGuards } from '@nestjs/common'
import type { Response } from 'express'
import { createLocationMiddleware } from 'hereabouts/server'
import { AuthGuard, type SignedIn } from './auth.guard.js'
import type { AppRouter, Locations } from './locations.js'

export const LOCATIONS = Symbol('locations')

/**
 * Serves the procedures in a route, not by `app.use()`: Nest runs guards for routes only. With `@Res()`, the middleware
 * sends the answer.
 */
@Controller('trpc')
@UseGuards(AuthGuard)
export class LocationsController {
  readonly #serve: (request: SignedIn, response: Response) => void

  constructor(@Inject(LOCATIONS) { router }: Locations) {
    this.#serve = createLocationMiddleware<AppRouter, SignedIn, Response>({
      router,
      createContext: ({ req }) => ({ user: req.user }),
      maxBodySize: 8_192,
      maxBatchSize: 8,
    })
  }

  @All('*procedure')
  serve(@Req() request: SignedIn, @Res() response: Response): void {
    this.#serve(request, response)
  }
}
