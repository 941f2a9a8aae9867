import { keyOf } from './cell-edits.js'
import type { Cell } from './selection.js'
import { colCount, rowCount } from './sheets.mjs'

/** A cell of the invented accounts of a small coffee roaster. */
export type Entry = { text: string; value?: number; look?: Look; right?: boolean }
export type Look = 'title' | 'note' | 'head' | 'group' | 'total' | 'good' | 'warn' | 'bad'
export type SheetData = {
  name: string
  widths: readonly number[]
  rows: number
  cols: number
  entryAt(cell: Cell): Entry | undefined
  /** Returns the entry of a text that a member wrote into a cell, in the format of its column. */
  entryOf(cell: Cell, text: string): Entry | undefined
}

type Value = string | number | null
type Format = (value: number) => string
type Column = { title: string; width: number; format?: Format }
type Row = { values: Value[]; look?: Look; format?: Format }

const emptyWidth = 96

const whole = new Intl.NumberFormat('en-US')
const dollars = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 })
const cents = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' })
const percent = new Intl.NumberFormat('en-US', { style: 'percent' })
const day = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric', year: 'numeric', timeZone: 'UTC' })

const count: Format = (value) => whole.format(value)
// A negative amount is in brackets, as in accounting.
const usd: Format = (value) => (value < 0 ? `(${dollars.format(-value)})` : dollars.format(value))
const price: Format = (value) => cents.format(value)
const share: Format = (value) => percent.format(value)
const date: Format = (value) => day.format(value)

const sum = (values: Value[]) =>
  values.reduce<number>((total, value) => total + (typeof value === 'number' ? value : 0), 0)
const on = (month: number, dayOfMonth: number, year = 2026) => Date.UTC(year, month - 1, dayOfMonth)

const lookOfText: Record<string, Look> = {
  Done: 'good',
  Paid: 'good',
  'On track': 'good',
  Open: 'warn',
  'At risk': 'warn',
  Late: 'bad',
  Overdue: 'bad',
}

function sheet(name: string, title: string, note: string, columns: Column[], body: Row[]): SheetData {
  const rows: Row[] = [
    { values: [title], look: 'title' },
    { values: [note], look: 'note' },
    { values: columns.map((column) => column.title), look: 'head' },
    ...body,
  ]
  const entries = rows.map((row) => row.values.map((value, col) => entry(value, row, columns[col]!)))
  return {
    name,
    widths: Array.from({ length: colCount }, (_, col) => columns[col]?.width ?? emptyWidth),
    rows: rowCount,
    cols: colCount,
    entryAt: ({ row, col }) => entries[row]?.[col],
    entryOf: ({ row, col }, text) =>
      entryOf(text.trim(), rows[row] ?? { values: [] }, columns[col] ?? { title: '', width: 0 }),
  }
}

/**
 * Returns a sheet with the texts that members wrote into cells. Its sums are part of the invented accounts, and are not
 * recalculated.
 */
export function withTexts(sheet: SheetData, texts: ReadonlyMap<string, string>): SheetData {
  const entryAt = (cell: Cell) => {
    const text = texts.get(keyOf(sheet.name, cell))
    return text === undefined ? sheet.entryAt(cell) : sheet.entryOf(cell, text)
  }
  return { ...sheet, entryAt }
}

/**
 * Returns the entry of a text that was written into a cell. A number is shown in the format of its column; a date stays
 * text.
 */
function entryOf(text: string, row: Row, column: Column): Entry | undefined {
  const format = row.format ?? column.format
  if (format === date) return entry(text, row, column)
  const value = numberIn(text)
  return entry(value === null ? text : format === share && !text.endsWith('%') ? value / 100 : value, row, column)
}

/** Reads `1,200`, `$1,200`, `(1,200)` and `12%`; `null` for any other text. */
function numberIn(text: string): number | null {
  const parts = /^(\(?)(-?)\$?(0|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,11})(\.\d{1,6})?(%?)\)?$/.exec(text)
  if (!parts) return null
  const [, bracket, minus, digits, fraction = '', percent] = parts
  const size = Number(digits!.replaceAll(',', '') + fraction) / (percent ? 100 : 1)
  return bracket || minus ? -size : size
}

function entry(value: Value, row: Row, column: Column): Entry | undefined {
  const look = row.look && { look: row.look }
  if (value === null || value === '')
    return row.look === 'total' || row.look === 'group' ? { text: '', ...look } : undefined
  if (typeof value === 'number') {
    const format = row.format ?? column.format ?? count
    // A date looks like a number, but is not summed.
    return { text: format(value), right: true, ...(format !== date && { value }), ...look }
  }
  if (row.look === 'head') return { text: value, right: column.format !== undefined, look: 'head' }
  const telling = lookOfText[value]
  return { text: value, ...(look ?? (telling && { look: telling })) }
}

/* Plan */

type Task = [
  task: string,
  owner: string,
  status: string,
  start: number,
  due: number,
  done: number,
  budget: number,
  note?: string,
]
const workstreams: [string, Task[]][] = [
  [
    'New roastery',
    [
      [
        'Sign lease for Dock Street 14',
        'Mara Lindqvist',
        'Done',
        on(1, 12),
        on(2, 6),
        1,
        4200,
        'Five years, option to extend',
      ],
      ['Electrical and gas survey', 'Tom Okafor', 'Done', on(2, 9), on(2, 27), 1, 2850],
      [
        'Order 30 kg drum roaster',
        'Tom Okafor',
        'Done',
        on(2, 16),
        on(3, 20),
        1,
        61500,
        'Delivery confirmed for June 8',
      ],
      [
        'Extraction and afterburner permit',
        'Ines Carvalho',
        'On track',
        on(3, 2),
        on(6, 19),
        0.7,
        3900,
        'City asked for noise report',
      ],
      ['Floor drains and sealing', 'Tom Okafor', 'On track', on(4, 13), on(5, 29), 0.85, 11200],
      ['Commissioning and test roasts', 'Yuki Tanaka', 'At risk', on(6, 15), on(7, 10), 0.1, 6400, 'Waits for permit'],
      ['Opening weekend', 'Priya Nair', 'Open', on(7, 18), on(7, 19), 0, 3500],
    ],
  ],
  [
    'Wholesale',
    [
      ['Renew Tidewater Hotels contract', 'Sam Beckett', 'Done', on(1, 5), on(1, 30), 1, 0, '+6% on volume'],
      ['Price list 2026', 'Ines Carvalho', 'Done', on(1, 19), on(2, 13), 1, 0],
      ['Onboard eight new cafés', 'Sam Beckett', 'On track', on(3, 2), on(8, 28), 0.6, 5600, '5 of 8 signed'],
      ['Barista training days', 'Yuki Tanaka', 'On track', on(4, 1), on(9, 30), 0.45, 4800],
      ['Returnable bucket pilot', 'Lena Fischer', 'Late', on(3, 16), on(5, 15), 0.3, 2700, 'Supplier changed lid size'],
      ['Credit terms review', 'Ines Carvalho', 'Open', on(7, 6), on(7, 31), 0, 0],
    ],
  ],
  [
    'Online shop',
    [
      ['Subscription page redesign', 'Priya Nair', 'Done', on(2, 2), on(3, 27), 1, 8900, 'Churn down to 4.1%'],
      ['Gift cards', 'Priya Nair', 'On track', on(4, 20), on(6, 5), 0.75, 2100],
      ['Faster checkout', 'Diego Ramos', 'On track', on(5, 4), on(6, 26), 0.5, 3300],
      [
        'EU shipping with duties paid',
        'Lena Fischer',
        'At risk',
        on(5, 18),
        on(8, 14),
        0.2,
        5200,
        'Broker quote outstanding',
      ],
      ['Photo day for autumn range', 'Priya Nair', 'Open', on(8, 3), on(8, 5), 0, 2400],
    ],
  ],
  [
    'Sourcing',
    [
      ['Huila visit, contract 3 lots', 'Mara Lindqvist', 'Done', on(1, 24), on(2, 4), 1, 5100],
      ['Sidama pre-shipment samples', 'Yuki Tanaka', 'Done', on(2, 23), on(3, 13), 1, 350],
      [
        'Hedge 40% of H2 green volume',
        'Ines Carvalho',
        'Late',
        on(4, 6),
        on(5, 8),
        0.5,
        0,
        'Decide before the June board',
      ],
      ['Decaf: sugar-cane process trial', 'Yuki Tanaka', 'On track', on(5, 11), on(7, 3), 0.4, 1900],
      ['Harvest report for customers', 'Lena Fischer', 'Open', on(9, 7), on(9, 25), 0, 800],
    ],
  ],
]

function taskRow([task, owner, status, start, due, done, budget, note]: Task): Row {
  return {
    values: [task, owner, status, start, due, Math.round((due - start) / 86_400_000) + 1, done, budget, note ?? null],
  }
}

const plan = sheet(
  'Plan',
  'Harbor Lane Coffee: plan for 2026',
  'Reviewed every Monday. Dates are the working plan, budgets are approved.',
  [
    { title: 'Task', width: 248 },
    { title: 'Owner', width: 128 },
    { title: 'Status', width: 88 },
    { title: 'Start', width: 108, format: date },
    { title: 'Due', width: 108, format: date },
    { title: 'Days', width: 60, format: count },
    { title: 'Done', width: 64, format: share },
    { title: 'Budget', width: 92, format: usd },
    { title: 'Notes', width: 224 },
  ],
  [
    ...workstreams.flatMap(([name, tasks]): Row[] => [
      { values: [name, null, null, null, null, null, null, sum(tasks.map((task) => task[6])), null], look: 'group' },
      ...tasks.map(taskRow),
    ]),
    {
      values: [
        'Total',
        null,
        null,
        null,
        null,
        null,
        null,
        sum(workstreams.flatMap(([, tasks]) => tasks.map((task) => task[6]))),
        null,
      ],
      look: 'total',
    },
  ],
)

/* Budget */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
// Factors for each month: coffee beans sell best in the cold months and before the holidays, the café in summer.
const season = [1.06, 1.02, 1, 0.97, 0.94, 0.9, 0.88, 0.9, 0.99, 1.06, 1.17, 1.28]
const summer = [0.82, 0.84, 0.93, 1, 1.08, 1.17, 1.22, 1.2, 1.06, 0.95, 0.88, 0.92]
const even = months.map(() => 1)
const income: [string, number, number[]][] = [
  ['Wholesale', 84_200, season],
  ['Online shop', 31_400, season],
  ['Subscriptions', 18_650, even.map((_, i) => 0.86 + i * 0.028)],
  ['Café', 22_900, summer],
  ['Training and events', 4_300, [0.6, 0.8, 1.1, 1.2, 1.1, 0.9, 0.5, 0.5, 1.2, 1.3, 1.2, 0.7]],
]
const costs: [string, number, number[]][] = [
  ['Green coffee', 57_300, season],
  ['Wages and salaries', 48_900, even.map((_, i) => (i < 6 ? 1 : 1.07))],
  ['Rent', 9_800, even.map((_, i) => (i < 5 ? 0.72 : 1))],
  ['Packaging', 7_450, season],
  ['Freight and courier', 6_900, season],
  ['Energy', 3_850, season],
  ['Equipment lease', 3_200, even.map((_, i) => (i < 6 ? 0.5 : 1))],
  ['Marketing', 4_600, [0.7, 0.8, 0.9, 1, 1, 1.1, 1.3, 0.9, 1, 1.1, 1.4, 1.2]],
  ['Software', 1_380, even],
  ['Insurance', 1_150, even],
  ['Repairs', 950, summer],
]

const line = ([name, base, curve]: [string, number, number[]]): Row => {
  const values = curve.map(
    (factor, month) => Math.round((base * factor * (1 + (((month * 7 + name.length * 5) % 11) - 5) / 260)) / 10) * 10,
  )
  return { values: [name, ...values, sum(values)] }
}
const totals = (rows: Row[]) => Array.from({ length: 13 }, (_, i) => sum(rows.map((row) => row.values[i + 1]!)))
const incomeRows = income.map(line)
const costRows = costs.map(line)
const earned = totals(incomeRows)
const spent = totals(costRows)
const net = earned.map((value, i) => value - spent[i]!)

const budget = sheet(
  'Budget',
  'Budget 2026',
  'US dollars, without sales tax. Approved by the board on December 9, 2025.',
  [
    { title: 'Account', width: 172 },
    ...months.map((title) => ({ title, width: 94, format: usd })),
    { title: 'Year', width: 104, format: usd },
  ],
  [
    { values: ['Income', ...Array<null>(13).fill(null)], look: 'group' },
    ...incomeRows,
    { values: ['Total income', ...earned], look: 'total' },
    { values: ['Costs', ...Array<null>(13).fill(null)], look: 'group' },
    ...costRows,
    { values: ['Total costs', ...spent], look: 'total' },
    { values: [] },
    { values: ['Net result', ...net], look: 'total' },
    { values: ['Margin', ...net.map((value, i) => value / earned[i]!)], format: share },
    { values: ['Cash at month end', ...net.slice(0, 12).map((_, i) => 64_000 + sum(net.slice(0, i + 1))), null] },
    { values: [] },
    { values: ['Check', ...net.map((value, i) => value - earned[i]! + spent[i]!)] },
  ],
)

/* Q3 */

const customers = [
  ['Tidewater Hotels', 'Coast'],
  ['Café Marrow', 'City'],
  ['The Long Table', 'City'],
  ['Pinewood Grocers', 'North'],
  ['Bluebird Bakery', 'City'],
  ['Station 9', 'North'],
  ['Osprey Books', 'Coast'],
  ['Fern & Co', 'Valley'],
  ['Millrace Canteen', 'Valley'],
  ['Harbor Cinema', 'Coast'],
  ['Studio Kiln', 'City'],
] as const
const coffees = [
  ['Lane House Blend', 11.4, 6.9],
  ['Night Ferry Espresso', 12.2, 7.3],
  ['Huila, Colombia', 14.8, 9.6],
  ['Sidama, Ethiopia', 16.1, 10.4],
  ['Slow Decaf', 13.5, 8.8],
] as const

// The minimal standard generator (Park and Miller, 1988), so that the orders are the same on every machine.
function dice(seed: number) {
  let state = seed
  return (sides: number) => (state = (state * 48_271) % 2_147_483_647) % sides
}

function orders(): Row[] {
  const roll = dice(2026)
  return Array.from({ length: 96 }, (_, i): Row => {
    const [customer, region] = customers[roll(customers.length)]!
    const [coffee, list, cost] = coffees[roll(coffees.length)]!
    const bags = (2 + roll(23)) * (customer === 'Tidewater Hotels' ? 4 : 2)
    const discount = bags > 60 ? 0.12 : bags > 30 ? 0.06 : 0
    const revenue = Math.round(bags * list * (1 - discount) * 100) / 100
    const age = roll(12)
    const paid = i < 70 ? (age === 0 ? 'Overdue' : 'Paid') : age < 5 ? 'Paid' : 'Open'
    return {
      values: [
        on(7, 1) + Math.floor((i * 92) / 96) * 86_400_000,
        `HL-${4180 + i}`,
        customer,
        region,
        coffee,
        bags,
        list,
        discount,
        revenue,
        1 - (bags * cost) / revenue,
        paid,
      ],
    }
  })
}
const orderRows = orders()
const bags = sum(orderRows.map((row) => row.values[5]!))
const revenue = sum(orderRows.map((row) => row.values[8]!))

const q3 = sheet(
  'Q3',
  'Wholesale orders, July to September 2026',
  'One line per order; bags of one kilogram. Exported on October 1, 2026.',
  [
    { title: 'Date', width: 112, format: date },
    { title: 'Order', width: 88 },
    { title: 'Customer', width: 148 },
    { title: 'Region', width: 76 },
    { title: 'Coffee', width: 164 },
    { title: 'Bags', width: 68, format: count },
    { title: 'List price', width: 88, format: price },
    { title: 'Discount', width: 88, format: share },
    { title: 'Revenue', width: 112, format: price },
    { title: 'Margin', width: 72, format: share },
    { title: 'Payment', width: 92 },
  ],
  [
    { values: ['Total', '96 orders', null, null, null, bags, null, null, revenue, null, null], look: 'total' },
    ...orderRows,
  ],
)

/* Team */

const people: [string, string, string, string, number, number, number, number][] = [
  ['Mara Lindqvist', 'Founder, sourcing', 'Office', 'Harbor Lane', on(3, 1, 2014), 40, 27, 11],
  ['Ines Carvalho', 'Finance and people', 'Office', 'Harbor Lane', on(9, 15, 2016), 36, 26, 9],
  ['Yuki Tanaka', 'Head roaster', 'Roastery', 'Dock Street', on(5, 2, 2017), 40, 26, 14],
  ['Tom Okafor', 'Roastery build-out', 'Roastery', 'Dock Street', on(1, 8, 2019), 40, 25, 6],
  ['Sam Beckett', 'Wholesale', 'Sales', 'On the road', on(4, 1, 2019), 40, 25, 17],
  ['Lena Fischer', 'Logistics', 'Operations', 'Dock Street', on(8, 17, 2020), 32, 24, 10],
  ['Priya Nair', 'Shop and brand', 'Sales', 'Remote', on(2, 1, 2021), 36, 24, 8],
  ['Diego Ramos', 'Software', 'Operations', 'Remote', on(6, 14, 2021), 24, 24, 12],
  ['Hanna Weiss', 'Roaster', 'Roastery', 'Dock Street', on(10, 4, 2021), 40, 23, 3],
  ['Omar Haddad', 'Roaster', 'Roastery', 'Dock Street', on(3, 7, 2022), 32, 23, 15],
  ['Chloe Martin', 'Café lead', 'Café', 'Harbor Lane', on(5, 9, 2022), 36, 23, 7],
  ['Ben Achterberg', 'Barista', 'Café', 'Harbor Lane', on(9, 1, 2022), 24, 22, 5],
  ['Nia Thompson', 'Barista', 'Café', 'Harbor Lane', on(2, 13, 2023), 20, 22, 9],
  ['Lukas Brandt', 'Packing', 'Operations', 'Dock Street', on(4, 24, 2023), 40, 22, 13],
  ['Aisha Rahman', 'Packing', 'Operations', 'Dock Street', on(11, 6, 2023), 32, 21, 4],
  ['Jonas Keller', 'Delivery', 'Operations', 'On the road', on(1, 15, 2024), 40, 21, 18],
  ['Sofia Rossi', 'Training', 'Sales', 'Remote', on(6, 3, 2024), 24, 21, 6],
  ['Kofi Mensah', 'Barista', 'Café', 'Harbor Lane', on(3, 17, 2025), 28, 20, 11],
  ['Emil Sørensen', 'Apprentice', 'Roastery', 'Dock Street', on(8, 1, 2025), 40, 20, 16],
]
const address = (name: string) => `${name.split(' ')[0]!.toLowerCase()}@harborlane.example`

const team = sheet(
  'Team',
  'People at Harbor Lane',
  'Days off are counted to the end of the year.',
  [
    { title: 'Name', width: 156 },
    { title: 'Role', width: 156 },
    { title: 'Team', width: 100 },
    { title: 'Based at', width: 112 },
    { title: 'Started', width: 112, format: date },
    { title: 'Hours', width: 68, format: count },
    { title: 'Days off', width: 80, format: count },
    { title: 'Left', width: 60, format: count },
    { title: 'Mail', width: 216 },
  ],
  [
    ...people.map((person): Row => ({ values: [...person, address(person[0])] })),
    {
      values: [
        'Total',
        `${people.length} people`,
        null,
        null,
        null,
        ...[5, 6, 7].map((i) => sum(people.map((person) => person[i]!))),
        null,
      ],
      look: 'total',
    },
  ],
)

export const sheets: readonly SheetData[] = [plan, budget, q3, team]

export const sheetNamed = (name: string) => sheets.find((sheet) => sheet.name === name)
