import type { Operation, OperationContext, OperationLink } from '@trpc/client'

/*
 * A file of its own, so that no declaration that an app's compiler reads names a type of @trpc/client: those of 11.22 ask
 * every page for the types of `ws`.
 */

/**
 * Returns a call in the form that a link takes; a terminating link, such as ours, never calls `next`. With one link each,
 * tRPC's client would only add 1.1 KB.
 */
export function operation(
  type: Operation['type'],
  path: string,
  input: unknown,
  context: OperationContext = {},
): Parameters<OperationLink<never>>[0] {
  const op = { id: 0, type, path, input, context, signal: null }
  return { op } as Parameters<OperationLink<never>>[0]
}
