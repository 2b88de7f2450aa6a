package meter

// Quantum is the fuel, in units, that a guest gets at instantiation and after
// each yield.
//
// A unit stands for at most 15 ns, so that a quantum ends within a millisecond
// even when each unit is as slow as it can be; common code runs some 20 times
// faster, so that yields come every 20 to 60 µs, and a yield that does little
// costs about 0.1 to 0.2 µs of that. The costs below were set from the worst case
// of each class, measured with TestUnitCost on one core of an x86-64 server:
// dependent loads that miss all caches (costMem), arithmetic on denormal floats
// (costFloat), 64-bit division, calls through tables. Not in the figure: a page
// of guest memory touched for the first time (0.25 to 0.5 µs, at most once per
// page), a bulk operation in progress, and returning from very deep recursion.
const Quantum = 1 << 16

// Costs in units.
const (
	costMem      = 4 // access to memory or a table: may miss all caches
	costFloat    = 4 // float arithmetic: may meet denormals
	costVec      = 4 // SIMD, scalarised by the compiler in places
	costCall     = 4 // call of a function of the module, without its entry charge
	costAtomic   = 16
	costIndirect = costCall + 6 + leafMax // may end in a leaf, which charges nothing
	costHost     = 64                     // leaving compiled code: imports, memory.grow, table.grow

	bulkShift  = 5  // bytes per unit of memory.fill, copy, init: 32
	entryShift = 2  // entries per unit of the table twins: 4
	pageShift  = 11 // units per page of memory.grow: 2,048
	maxPages   = 1 << 16
)

// Thresholds in units; see the package comment on pay and check.
const (
	// payAt: more debt than this is paid before paths join or part. Less is
	// carried on as the maximum over the joining paths.
	payAt = 40
	// payAtCall: the same before a call, return or throw, where the debt would
	// otherwise multiply with the depth of recursion.
	payAtCall = 24
	// payAtLoop: the same before a loop: what is left is charged in each round.
	payAtLoop = 8
	// checkAt: more units than this are not executed without a test.
	checkAt = 512
	// entryMin: an entry costs at least this, so that a chain of calls is
	// charged for the debt its frames still carry.
	entryMin = 16
	// leafMax: functions without loops and calls up to this cost are paid for
	// by their callers.
	leafMax = 24
)
