import { EventEmitter } from 'node:events'
import { Body, Controller, Post, Sse, type MessageEvent } from '@nestjs/common'
import { Observable } from 'rxjs'

type Position = { user: string; sheet: string; row: number; col: number }

/**
 * The article's first version, unchanged. `npm run measure` compares it with the version in this folder. Do not copy
 * it.
 */
@Controller('first-version')
export class FirstVersionController {
  readonly positions: Position[] = []
  readonly emitter = new EventEmitter().setMaxListeners(0)

  @Post()
  post(@Body() position: Position): void {
    const known = this.positions.find(({ user }) => user === position.user)
    if (known) Object.assign(known, position)
    else this.positions.push(position)
    // Sends the positions of all members to every viewer, whether or not they changed.
    this.emitter.emit('positions', this.positions)
  }

  @Sse()
  stream(): Observable<MessageEvent> {
    // Sends nothing until a member moves, and never removes the listener.
    return new Observable((subscriber) => {
      this.emitter.on('positions', (positions) => subscriber.next({ data: positions }))
    })
  }
}
