import { locations } from './locations'
import { Sheet } from './sheet'

/** Rendered on the server at each request, so the page shows the members before any script runs. */
export default async function Page({ searchParams }: { searchParams: Promise<{ name?: string }> }) {
  const { name = 'Somebody' } = await searchParams
  const room = 'sheet-42'
  return <Sheet room={room} name={name} initial={await locations().getLocations({ room })} />
}
