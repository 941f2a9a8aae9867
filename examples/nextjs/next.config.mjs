import { fileURLToPath } from 'node:url'

/** @type {import('next').NextConfig} */
const config = {
  // This folder is a separate app inside another repository, so its root must be set.
  turbopack: { root: fileURLToPath(new URL('.', import.meta.url)) },
}
export default config
