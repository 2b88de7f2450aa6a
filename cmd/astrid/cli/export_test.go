package cli

// Run is run for tests outside of the package.
var Run = run
