import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common'
import type { Request } from 'express'

export type User = { id: string; name: string }
export type SignedIn = Request & { user: User }

/** Stands for your guard, which checks a JWT or a session. In this example, the token is the user's name. */
@Injectable()
export class AuthGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<SignedIn>()
    const [, name] = /^Bearer (\w{1,32})$/.exec(request.headers.authorization ?? '') ?? []
    if (!name) throw new UnauthorizedException('Send a token: authorization: Bearer <your name>')
    request.user = { id: name.toLowerCase(), name }
    return true
  }
}
