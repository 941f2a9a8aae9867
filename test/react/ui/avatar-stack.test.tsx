// @vitest-environment jsdom
import { createRef } from 'react'
import { expect, test, vi } from 'vitest'
import { AvatarStack } from 'hereabouts/react/ui'
import { click, fire, focus, member, mounted, press, type View } from './support.js'

const people = ['Ada', 'Bo', 'Cy', 'Di', 'Eve', 'Flo'].map((name) => member(name))
const showAll = '+3, show all 6 people'
const labelOf = (element: Element) =>
  element.getAttribute('aria-label') ?? element.querySelector('.hb-tip')!.textContent
const labels = (view: View) => view.all('.hb-stack > li > .hb-person').map(labelOf)

test('a stack with enough places shows all members in their order, without a button', async () => {
  await using view = await mounted(<AvatarStack members={people.slice(0, 4)} />)
  expect(labels(view)).toEqual(['Ada', 'Bo', 'Cy', 'Di'])
  expect(view.host.querySelector('ul')!.getAttribute('aria-label')).toBe('4 people here')
  expect(view.all('button')).toEqual([])
})

test('the last place of a full stack is a button for two or more members', async () => {
  for (const max of [1, 2, 3, 4, 5]) {
    await using view = await mounted(<AvatarStack members={people} max={max} />)
    expect(view.host.querySelector('.hb-more')!.textContent).toBe(`+${7 - max}`)
    expect(labels(view)).toEqual([
      ...['Ada', 'Bo', 'Cy', 'Di', 'Eve'].slice(0, max - 1),
      `+${7 - max}, show all 6 people`,
    ])
  }
})

test('activity is added to the label of a member in words and does not change the order of a stack', async () => {
  await using view = await mounted(<AvatarStack members={people.slice(0, 3)} />)
  const [ada, bo, cy] = people
  await view.show(<AvatarStack members={[{ ...ada!, activity: 'away' }, { ...bo!, activity: 'idle' }, cy!]} />)
  expect(labels(view)).toEqual(['Ada, away', 'Bo, idle', 'Cy'])
})

test('a name that changes the direction of writing is isolated from the rest of a tooltip', async () => {
  await using view = await mounted(<AvatarStack members={[member('Ada \u202eevil', { activity: 'idle' })]} />)
  const tip = view.host.querySelector('.hb-tip')!
  expect(tip.querySelector('bdi')!.textContent).toBe('Ada \u202eevil')
  expect(tip.textContent).toBe('Ada \u202eevil, idle')
})

test('members in `recent` come last in a stack, and members who came back are shown once', async () => {
  await using view = await mounted(<AvatarStack members={people.slice(0, 2)} recent={people.slice(1, 3)} />)
  expect(labels(view)).toEqual(['Ada', 'Bo', 'Cy, left'])
  expect(view.host.querySelector('ul')!.getAttribute('aria-label')).toBe('2 people here')
})

test('the button of a stack opens a list of all members with their places, and Escape returns the focus', async () => {
  const placed = people.map((person, row) => ({ ...person, location: { sheet: 'Q3', row, col: 27 } }))
  await using view = await mounted(<AvatarStack members={placed} />)
  const more = view.host.querySelector('button')!
  await focus(more)
  await click(more)
  expect(more.getAttribute('aria-expanded')).toBe('true')
  const list = view.host.querySelector('dialog')!
  expect(list.id).toBe(more.getAttribute('aria-controls'))
  expect(document.activeElement).toBe(list)
  expect(view.all('dialog li').map(({ textContent }) => textContent)).toContain('EEve, Q3 AB5')
  await press('Escape')
  expect(view.host.querySelector('dialog')).toBe(null)
  expect(document.activeElement).toBe(more)
})

test('the list of a stack closes when focus moves out of it or a click hits another element', async () => {
  await using view = await mounted(
    <>
      <AvatarStack members={people} />
      <input />
    </>,
  )
  const more = view.host.querySelector('button')!
  const input = view.host.querySelector('input')!
  await click(more)
  expect(view.host.querySelector('dialog')).not.toBe(null)
  await focus(input)
  expect(view.host.querySelector('dialog')).toBe(null)
  expect(document.activeElement).toBe(input)
  await click(more)
  await fire(document.body, new Event('pointerdown', { bubbles: true }))
  expect(view.host.querySelector('dialog')).toBe(null)
})

test('a stack of buttons is one tab stop, in which the arrow keys, Home and End move the focus', async () => {
  const onSelect = vi.fn()
  await using view = await mounted(<AvatarStack members={people} onSelect={onSelect} />)
  const stops = () => view.all('.hb-stack > li > button').filter(({ tabIndex }) => tabIndex === 0)
  expect(stops().map(labelOf)).toEqual(['Ada'])
  await focus(stops()[0]!)
  const focused = async (key: string) => {
    await press(key)
    expect(stops()).toEqual([document.activeElement])
    return labelOf(document.activeElement!)
  }
  expect(await focused('ArrowRight')).toBe('Bo')
  expect(await focused('End')).toBe(showAll)
  expect(await focused('ArrowRight')).toBe('Ada')
  expect(await focused('ArrowLeft')).toBe(showAll)
  expect(await focused('Home')).toBe('Ada')
  view.host.querySelector('ul')!.style.direction = 'rtl'
  expect(await focused('ArrowLeft')).toBe('Bo')
  await click(document.activeElement as HTMLElement)
  expect(onSelect).toHaveBeenCalledExactlyOnceWith(people[1])
})

test('choosing a member in the list of a stack closes it, returns the focus and calls onSelect', async () => {
  const onSelect = vi.fn(() => expect(labelOf(document.activeElement!)).toBe(showAll))
  await using view = await mounted(<AvatarStack members={people} onSelect={onSelect} />)
  await click(view.all('button').at(-1)!)
  expect(document.activeElement!.textContent).toBe('AAda')
  await press('ArrowDown')
  await press('ArrowDown')
  expect(document.activeElement!.textContent).toBe('CCy')
  await click(document.activeElement as HTMLElement)
  expect(onSelect).toHaveBeenCalledExactlyOnceWith(people[2])
  expect(view.host.querySelector('dialog')).toBe(null)
})

test('a stack keeps one tab stop when the focused button disappears', async () => {
  await using view = await mounted(<AvatarStack members={people} onSelect={() => {}} />)
  await focus(view.all('button').at(-1)!)
  await view.show(<AvatarStack members={people.slice(0, 2)} onSelect={() => {}} />)
  expect(view.all('button').map(({ tabIndex }) => tabIndex)).toEqual([-1, 0])
})

test('initials are whole graphemes of the first and the last word', async () => {
  const names = {
    'Ada Lovelace': 'AL',
    'ada king lovelace': 'AL',
    '👩‍🚀 Sally': '👩‍🚀S',
    é́a: 'É́',
    '(Bo)': 'B',
    '🇪🇺': '🇪🇺',
    نگار‌نیا: 'ن',
    '!': '!',
  }
  await using view = await mounted(<AvatarStack max={20} members={Object.keys(names).map((name) => member(name))} />)
  expect(view.all('.hb-avatar').map(({ textContent }) => textContent)).toEqual(Object.values(names))
})

test('an avatar shows a picture only over https, and initials when the picture is broken', async () => {
  const avatar = 'https://example.com/ada.png'
  const members = [
    member('Ada', { profile: { name: 'Ada', avatar } }),
    member('Bo', { profile: { name: 'Bo', avatar: 'http://x.y/z' } }),
  ]
  await using view = await mounted(<AvatarStack members={members} />)
  const pictures = view.all('img') as HTMLImageElement[]
  expect(pictures.map(({ src, alt }) => [src, alt])).toEqual([[avatar, '']])
  await fire(pictures[0]!, new Event('error'))
  expect(view.all('.hb-avatar').map(({ textContent }) => textContent)).toEqual(['A', 'B'])
})

test('text on a chosen colour is black or white, whichever is readable, and only #rrggbb is taken from a profile', async () => {
  const colors = ['#ffff00', '#000080', 'red;}', undefined]
  const members = colors.map((color, i) => member(`m${i}`, { profile: { name: 'X', ...(color && { color }) } }))
  await using view = await mounted(<AvatarStack members={members} />)
  const paint = view
    .all('.hb-avatar')
    .map(({ style }) => ['--hb-color', '--hb-ink'].map((name) => style.getPropertyValue(name)))
  expect(paint.slice(0, 2)).toEqual([
    ['#ffff00', '#000'],
    ['#000080', '#fff'],
  ])
  for (const [color, ink] of paint.slice(2))
    expect([color, ink]).toEqual([expect.stringMatching(/^#[0-9a-f]{6}$/), '#fff'])
})

test('a stack takes a ref, a class, a style, a size, words and another avatar', async () => {
  const ref = createRef<HTMLUListElement>()
  await using view = await mounted(
    <AvatarStack
      ref={ref}
      className="mine"
      style={{ margin: 4 }}
      size={20}
      members={[member('Ada', { activity: 'idle' })]}
      labels={{ idle: 'untätig', name: ({ memberId }) => `@${memberId}` }}
      components={{ Avatar: ({ name }) => <b>{name}</b> }}
    />,
  )
  expect(ref.current).toBe(view.host.firstElementChild)
  expect(ref.current!.className).toBe('hb-stack mine')
  expect(ref.current!.style.margin).toBe('4px')
  expect(ref.current!.style.getPropertyValue('--hb-size')).toBe('20px')
  expect(labels(view)).toEqual(['@ada, untätig'])
  expect(view.host.querySelector('b')!.textContent).toBe('@ada')
})
