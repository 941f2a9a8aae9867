const file = 'test/house/mutants-example/rule.ts'
const tests = ['test/house/mutants-example/rule.test.ts']

export default [
  { name: 'noticed', rule: 'only a newer seq speaks', file, find: 'seq > stored', replace: 'seq >= stored', tests },
  {
    name: 'survivor',
    rule: 'seq is compared as a number',
    file,
    find: 'seq > stored',
    replace: '+seq > stored',
    tests,
  },
  { name: 'outdated', rule: 'the code of this rule was removed', file, find: 'seq < stored', replace: 'true', tests },
]
