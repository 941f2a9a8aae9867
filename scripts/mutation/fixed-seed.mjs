import fc from 'fast-check'

// Gives the tests the same random histories each time. Otherwise one run may notice a mutant that survives the next.
fc.configureGlobal({ seed: 20_260_101 })
