process.env['LOOKUP_MS'] = '1'
await import('./pointers.mjs')
