import type { Operation, OperationContext, OperationLink } from '@trpc/client'

/*
 * A file of its own, so that no declaration that an app's compiler reads names a type of @trpc/client: those of 11.22 ask
 * every page for the types of `ws`.
 */

/**
 * A call as a link takes it; the last link, as ours are, does not ask for a `next`. With one link each, tRPC's client
 * would add nothing but its 1.1 KB.
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
