/*
 * The request guard and the dispatch of a request must agree about which procedures it calls. Both read the request
 * target here.
 */

/** The parts of a request target: the last segment of its path as received, and the procedures that tRPC finds in it. */
export type RequestTarget = { readonly segment: string; readonly calls: readonly string[] }

/**
 * Reads a request target as this package's own dispatch does. The latest result is cached: thousands of posts a second
 * have the same target.
 */
export function readTarget(url = ''): RequestTarget {
  if (url !== latestUrl) {
    latestTarget = targetIn(url)
    latestUrl = url
  }
  return latestTarget
}
let latestUrl: string | undefined
let latestTarget: RequestTarget = { segment: '', calls: [] }

function targetIn(url: string): RequestTarget {
  const pathname = url.split(/[?#]/, 1)[0]!
  const segment = pathname.slice(pathname.lastIndexOf('/') + 1)
  return { segment, calls: callsIn(segment) }
}

/**
 * Returns every path that one of tRPC's adapters may read as the path of its calls, for a guard that does not know the
 * adapter behind it. The adapters differ: `#` ends the path or does not, backslashes and dot segments are resolved or
 * not, and the standalone adapter cuts off as many characters as its base path has, without comparing them.
 */
export function possiblePaths(url = ''): string[] {
  const paths = new Set([url.split(/[?#]/, 1)[0]!, url.split('?', 1)[0]!])
  if (URL.canParse(url, 'http://localhost')) paths.add(new URL(url, 'http://localhost').pathname)
  return [...paths].map((path) => path.replace(/^\/+|\/+$/g, ''))
}

/** Returns the calls of a batch, or the one call, in a path. */
export const callsIn = (path: string): string[] => decoded(path).split(',')

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
