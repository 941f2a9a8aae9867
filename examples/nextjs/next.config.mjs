import { fileURLToPath } from 'node:url'

/** @type {import('next').NextConfig} */
const config = {
  // This folder is an app of its own, inside of somebody else's repository.
  turbopack: { root: fileURLToPath(new URL('.', import.meta.url)) },
}
export default config
