import type { ReactNode } from 'react'

export const metadata = { title: 'Who is where' }

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
