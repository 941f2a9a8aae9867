import 'reflect-metadata'
import type { IncomingMessage } from 'node:http'
import { Inject, Module, type BeforeApplicationShutdown, type DynamicModule } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { FirstVersionController } from './first-version.controller.js'
import { LOCATIONS, LocationsController } from './locations.controller.js'
import { createLocations, type Locations } from './locations.js'

@Module({ controllers: [LocationsController, FirstVersionController] })
export class LocationsModule implements BeforeApplicationShutdown {
  constructor(@Inject(LOCATIONS) private readonly locations: Locations) {}

  static with(locations: Locations): DynamicModule {
    return { module: LocationsModule, providers: [{ provide: LOCATIONS, useValue: locations }] }
  }

  /** Drains the hub before Nest closes, because streams do not end by themselves. Clients then reconnect elsewhere. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.locations.hub.drain()
    await this.locations.hub.close()
  }
}

export async function createApp(locations = createLocations()): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(LocationsModule.with(locations), {
    logger: ['error', 'warn'],
    forceCloseConnections: true,
    bodyParser: false,
  })
  // Nest parses the bodies of all other routes only: the procedures parse their own, and report errors in tRPC's form.
  const isElsewhere = ({ url = '', headers }: IncomingMessage) =>
    !url.startsWith('/trpc/') && headers['content-type']?.startsWith('application/json') === true
  return app.useBodyParser('json', { type: isElsewhere }).enableShutdownHooks()
}
