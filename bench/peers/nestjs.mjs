import 'reflect-metadata'
import { EventEmitter } from 'node:events'
import { Body, Controller, HttpCode, Module, Post, Query, Sse } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { concat, defer, fromEvent, map, of } from 'rxjs'
import { metered } from '../servers/meter.mjs'
import { Rooms } from '../servers/rooms.mjs'

// The controller of NestJS tutorials: an EventEmitter, @Sse, and the whole array of members sent to every client at
// each post.
const rooms = new Rooms()
const emitter = new EventEmitter().setMaxListeners(0)
const everyone = (room) => ({ data: [...rooms.of(room).locations.values()] })

class LocationController {
  stream(room) {
    const now = defer(() => of(everyone(room)))
    return concat(now, fromEvent(emitter, room).pipe(map(() => everyone(room))))
  }

  post({ room, ...update }) {
    rooms.of(room).locations.set(update.memberId, update)
    emitter.emit(room)
  }
}

// The compiled form of @Sse('stream'), @Query('room') and the other decorators.
const { prototype } = LocationController
const decorate = (method, ...decorators) => {
  for (const each of decorators) each(prototype, method, Object.getOwnPropertyDescriptor(prototype, method))
}
decorate('stream', Sse('stream'))
Query('room')(prototype, 'stream', 0)
decorate('post', Post('post'), HttpCode(204))
Body()(prototype, 'post', 0)
Controller()(LocationController)

// oxlint-disable-next-line typescript/no-extraneous-class -- Nest's modules are empty classes
class App {}
Module({ controllers: [LocationController] })(App)

const app = await NestFactory.create(App, new ExpressAdapter(), { logger: false })
await app.listen(0, '127.0.0.1')
metered(`http://127.0.0.1:${app.getHttpServer().address().port}`)
