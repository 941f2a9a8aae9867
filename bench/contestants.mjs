/* The servers to measure: the file of each server and the dialect of its clients. */
export const contestants = [
  { name: 'hereabouts', title: 'Hereabouts', server: 'servers/hereabouts.mjs', dialect: 'trpc' },
  {
    name: 'compressed',
    title: 'Hereabouts, compress: true',
    server: 'servers/compressed.mjs',
    dialect: 'trpcGzip',
  },
  {
    name: 'websocket',
    title: 'Hereabouts over WebSocket',
    server: 'servers/websocket.mjs',
    dialect: 'trpcSocket',
  },
  { name: 'pointers', title: 'Hereabouts, presence values', server: 'servers/pointers.mjs', dialect: 'pointers' },
  {
    name: 'looked-up',
    title: 'Hereabouts, presence values, 1 ms in identify',
    server: 'servers/looked-up.mjs',
    dialect: 'pointers',
  },
  { name: 'storm', title: 'Hereabouts, with broadcasts', server: 'servers/pointers.mjs', dialect: 'storm' },
  { name: 'bare', title: 'bare node:http, one Buffer', server: 'servers/bare.mjs', dialect: 'sse' },
  { name: 'ws', title: 'ws', server: 'peers/ws.mjs', dialect: 'ws' },
  { name: 'socket-io', title: 'Socket.IO', server: 'peers/socket-io.mjs', dialect: 'socketIo' },
  { name: 'better-sse', title: 'better-sse', server: 'peers/better-sse.mjs', dialect: 'sse' },
  { name: 'trpc', title: 'stock tRPC SSE, our router', server: 'servers/trpc.mjs', dialect: 'trpc' },
  { name: 'trpc-guide', title: 'stock tRPC SSE, its guide', server: 'servers/trpc-guide.mjs', dialect: 'trpc' },
  { name: 'nestjs', title: 'NestJS @Sse', server: 'peers/nestjs.mjs', dialect: 'sse' },
]
