package meter

// Quantum is the fuel, in units, that a guest gets at instantiation and after
// each yield.
//
// A unit stands for at most 15 ns, so that a quantum ends within a millisecond
// even where each unit is as slow as it can be. TestQuantumTime measures that:
// it runs the slowest code of each class and divides by the yields. On an idle
// core of an x86-64 server a quantum took
//
//	830 µs   dependent loads over 64 MiB that miss the caches (costMem)
//	 60 µs   an empty loop, 40 µs straight code, 36 µs a huge br_table
//	 14 µs   arithmetic on denormal floats (costFloat)
//	 12 µs   64-bit division
//	  7 µs   calls through a table (costIndirect)
//	8-12 µs  a Go guest at its usual work
//
// A yield costs 50 ns for leaving and entering compiled code (BenchmarkYield);
// with a look at the clock and runtime.Gosched 170 to 220 ns, some 2 %.
//
// Not in the figure: a page of guest memory touched for the first time (0.25 to
// 0.5 µs, once per page), a bulk operation under way (a piece of a fill takes 70 to
// 140 µs), and returning through millions of frames.
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
