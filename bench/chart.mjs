/* The chart: an SVG bar chart with separate colours for light and dark mode. */

const width = 760
const label = 190
const bar = 16
const gap = 6
const panelGap = 30
const ours = 'hereabouts'

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const short = (value) =>
  value >= 1e6
    ? `${Number((value / 1e6).toPrecision(3))} M`
    : value >= 1e3
      ? `${Number((value / 1e3).toPrecision(3))} k`
      : String(Math.round(value))

/** @param panels `{ title, bars: { contestant, label, value }[] }[]`, each with a separate scale. */
export function chartOf(panels, { title, note }) {
  let y = 52
  const parts = []
  for (const panel of panels) {
    parts.push(`<text class="panel" x="0" y="${y}">${escaped(panel.title)}</text>`)
    y += 12
    const most = Math.max(...panel.bars.map(({ value }) => value))
    const scale = (width - label - 90) / most
    for (const { contestant, label: name, value } of panel.bars.toSorted((a, b) => b.value - a.value)) {
      const long = Math.max(1.5, value * scale)
      parts.push(
        `<text class="name" x="${label - 8}" y="${y + 12}">${escaped(name)}</text>`,
        `<rect class="${contestant === ours ? 'ours' : 'theirs'}" x="${label}" y="${y}" width="${long.toFixed(1)}" height="${bar}" rx="2"/>`,
        `<text class="value" x="${(label + long + 6).toFixed(1)}" y="${y + 12}">${short(value)}</text>`,
      )
      y += bar + gap
    }
    y += panelGap
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" role="img" aria-labelledby="title note">
<title id="title">${escaped(title)}</title>
<style>
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .panel { font-weight: 600 }
  .name { text-anchor: end }
  .note, .value { fill: #57606a }
  .ours { fill: #0a7d6c }
  .theirs { fill: #a8b1bb }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note, .value { fill: #9da7b3 }
    .ours { fill: #2dc7ad }
    .theirs { fill: #59636e }
  }
</style>
<text class="title" x="0" y="18">${escaped(title)}</text>
${parts.join('\n')}
<text class="note" id="note" x="0" y="${y - 8}">${escaped(note)}</text>
</svg>
`
}
