/**
 * Rooms in Redis or Valkey, for several server processes.
 *
 * @module hereabouts/server/redis
 */
export { redisBackend, type RedisBackendOptions } from './backend.js'
export { ioredisPort, type IoredisClient, type IoredisSubscriber } from './clients/ioredis.js'
export type { NodeRedisClient, NodeRedisSubscriber } from './clients/node-redis.js'
export type { RedisPort } from './clients/client-port.js'
