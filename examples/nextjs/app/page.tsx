import { locations } from './locations.js'
import { Sheet } from './sheet.js'

/** Made on the server, at each request: who is here is in the page before any script runs. */
export default async function Page({ searchParams }: { searchParams: Promise<{ name?: string }> }) {
  const { name = 'Somebody' } = await searchParams
  const room = 'sheet-42'
  return <Sheet room={room} name={name} initial={await locations().getLocations({ room })} />
}
