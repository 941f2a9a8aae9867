import fc from 'fast-check'

// Property tests play the same histories in each run: otherwise a mutant would be noticed in one run and survive the
// next.
fc.configureGlobal({ seed: 20_260_101 })
