// Package meter rewrites WebAssembly modules so that guest code can be
// interrupted at low cost under wazero's compiler.
//
// # Contract
//
// [Rewrite] takes a core module and returns one with the same meaning that also
//
//   - has a private mutable i32 global, the fuel, that no guest code, export or
//     other module can name;
//   - takes from it what the code is about to cost, or has cost since the last
//     charge, at function entries, loop heads and along long straight code;
//   - calls the imported function astrid_link.yield, of type () -> (), when the
//     fuel is below zero, after setting it to [Quantum] again;
//   - carries a custom section astrid.meter with [Version].
//
// The host's yield may return (the guest goes on) or panic (the guest ends with
// that error, as with any host function; guests cannot catch it). It runs on the
// goroutine of the call and gets the call's context. Start functions and
// _initialize are metered like all others. Between two yields a guest executes
// at most Quantum plus a few thousand units; what a unit is and how costs were
// measured stands at [Quantum]. The fuel is not atomic: as without metering, one
// instance runs one call at a time.
//
// A cache of rewritten or compiled modules must be keyed by [Version] too.
//
// # Which code shape, and why
//
// wazevo keeps a module's own mutable globals as SSA variables that are written
// through to memory and loaded again after each call. So reading the fuel right
// after writing it is free, a charge without a test is one subtraction and one
// store, and a test is one compare and one branch more. What costs is the call
// in the cold branch: values that live across it are spilled. Hence:
//
//   - only loop heads, entries of functions that can call, and stretches of more
//     than a few hundred units are tested ("check"); elsewhere cost is only
//     subtracted ("pay"), and only when more than a few units have piled up;
//   - a function entry that leads straight into a loop shares the loop's check
//     (each Go function is such a loop) or is paid just before it;
//   - small functions without loops and calls are not charged at all, their
//     callers pay for them. They cannot recurse.
//
// Long data segments are split for the same reason: the runtime copies each as a whole
// when it instantiates a module.
//
// Bulk operations (memory.fill, copy, init, grow and their table twins) charge
// by their length operand before they start. Those on memory are done in pieces of
// a megabyte with a test between them, as whole ones would hold up the collector
// for milliseconds. Those on tables are not split: MaxTableEntries bounds them.
// The charge stands in a function of its own, because wazero's compiler is
// quadratic in the blocks of a function.
//
// # Hostile modules
//
// The decoder is strict: section order and sizes, vector counts, LEB128 widths,
// every type, function and global index (the rewritten module has one more of
// each, so an index one past the end would otherwise become valid), reserved
// bytes. It writes each immediate again in its shortest form, so that wazero
// reads what was read here. What is not understood is refused. Type checking is
// left to wazero: code is only inserted where it leaves the operand stack as it
// was, so an ill-typed module stays ill-typed.
//
// Compiling is not metered, so [Options] bounds what it can take: wazero's
// decoder allocates for counts that a few bytes announce (2^32 locals), and its
// compiler needs minutes or gigabytes for modules of some 100 KB.
package meter
