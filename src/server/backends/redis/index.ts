export { redisBackend, type RedisBackendOptions } from './backend.js'
export { ioredisPort, type IoredisClient, type IoredisSubscriber } from './ioredis.js'
export type { NodeRedisClient, NodeRedisSubscriber } from './node-redis.js'
export type { RedisPort } from './client-port.js'
