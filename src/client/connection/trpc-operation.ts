import type { Operation, OperationContext, OperationLink } from '@trpc/client'

/*
 * This function has a file of its own, so that no declaration file that an app's compiler reads names a type of
 * @trpc/client: the types of version 11.22 require the types of `ws` in every page.
 */

/**
 * Returns a call in the form that a tRPC link takes. `next` is absent, because a terminating link, such as ours, never
 * calls it. We use one link for each call, so tRPC's client would only add 1.1 KB.
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
