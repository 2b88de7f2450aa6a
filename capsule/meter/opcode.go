package meter

// Opcodes this package names.
const (
	opUnreachable   = 0x00
	opBlock         = 0x02
	opLoop          = 0x03
	opIf            = 0x04
	opElse          = 0x05
	opThrow         = 0x08
	opThrowRef      = 0x0a
	opEnd           = 0x0b
	opBr            = 0x0c
	opBrIf          = 0x0d
	opBrTable       = 0x0e
	opReturn        = 0x0f
	opCall          = 0x10
	opCallIndirect  = 0x11
	opReturnCall    = 0x12
	opReturnCallInd = 0x13
	opCallRef       = 0x14
	opReturnCallRef = 0x15
	opSelectTyped   = 0x1c
	opTryTable      = 0x1f
	opLocalGet      = 0x20
	opLocalSet      = 0x21
	opLocalTee      = 0x22
	opGlobalGet     = 0x23
	opGlobalSet     = 0x24
	opMemorySize    = 0x3f
	opMemoryGrow    = 0x40
	opI32Const      = 0x41
	opI64Const      = 0x42
	opF32Const      = 0x43
	opF64Const      = 0x44
	opI32LtS        = 0x48
	opI32LtU        = 0x49
	opI32GtU        = 0x4b
	opI32LeU        = 0x4d
	opI64GtU        = 0x56
	opI32Add        = 0x6a
	opI32Sub        = 0x6b
	opI32Mul        = 0x6c
	opI32Or         = 0x72
	opI32Shl        = 0x74
	opI32ShrU       = 0x76
	opI64Add        = 0x7c
	opI64Sub        = 0x7d
	opI64Mul        = 0x7e
	opI64Shl        = 0x86
	opI64ExtendU    = 0xad
	opSelect        = 0x1b
	opRefNull       = 0xd0
	opRefFunc       = 0xd2
	opBrOnNull      = 0xd5
	opBrOnNonNull   = 0xd6
	opMiscPrefix    = 0xfc
	opVecPrefix     = 0xfd
	opAtomicPrefix  = 0xfe
)

// Second bytes after a prefix.
const (
	miscMemoryInit = 0x08
	miscDataDrop   = 0x09
	miscMemoryCopy = 0x0a
	miscMemoryFill = 0x0b
	miscTableInit  = 0x0c
	miscElemDrop   = 0x0d
	miscTableCopy  = 0x0e
	miscTableGrow  = 0x0f
	miscTableSize  = 0x10
	miscTableFill  = 0x11

	vecConst   = 0x0c
	vecShuffle = 0x0d

	atomicWait32 = 0x01
	atomicWait64 = 0x02
	atomicFence  = 0x03
)

// imm is the kind of immediate operands an opcode has.
type imm uint8

const (
	immBad     imm = iota // not an opcode
	immNone               // none
	immSpecial            // control flow, handled one by one
	immIndex              // an index that metering does not move
	immGlobal             // a global index
	immMem                // alignment and offset
	immZero               // one zero byte
	immI32
	immI64
	immF32
	immF64
	immHeap   // a heap type
	immFunc   // a function index
	immSelect // a vector of one value type
)

// info is what the rewriter knows of an opcode.
type info struct {
	imm  imm
	cost uint8
}

// opcodes is filled once; cost units are explained at Quantum.
var opcodes = opcodeTable()

func opcodeTable() (t [256]info) {
	set := func(from, to int, i imm, cost uint8) {
		for op := from; op <= to; op++ {
			t[op] = info{i, cost}
		}
	}
	set(0x00, 0x01, immNone, 0)     // unreachable, nop
	set(0x02, 0x05, immSpecial, 0)  // block, loop, if, else
	set(0x08, 0x08, immSpecial, 16) // throw
	set(0x0a, 0x0a, immSpecial, 16) // throw_ref
	set(0x0b, 0x0b, immSpecial, 0)  // end
	set(0x0c, 0x0f, immSpecial, 1)  // branches, return
	set(0x10, 0x15, immSpecial, costCall)
	set(0x1a, 0x1a, immNone, 0) // drop
	set(0x1b, 0x1b, immNone, 2) // select
	set(0x1c, 0x1c, immSelect, 2)
	set(0x1f, 0x1f, immSpecial, 2) // try_table
	set(0x20, 0x22, immIndex, 1)   // locals
	set(0x23, 0x24, immGlobal, 1)
	set(0x25, 0x26, immIndex, costMem) // table.get, table.set
	set(0x28, 0x3e, immMem, costMem)
	set(0x3f, 0x3f, immZero, 2)        // memory.size
	set(0x40, 0x40, immZero, costHost) // memory.grow
	set(0x41, 0x41, immI32, 1)
	set(0x42, 0x42, immI64, 1)
	set(0x43, 0x43, immF32, 1)
	set(0x44, 0x44, immF64, 1)
	set(0x45, 0xc4, immNone, 1)
	for _, d := range [][2]int{{0x6d, 0x70}, {0x7f, 0x82}} { // integer division
		set(d[0], d[1], immNone, 16)
	}
	set(0x8b, 0xa6, immNone, costFloat)
	set(0xa8, 0xab, immNone, costFloat)                // float to integer
	set(0xae, 0xbb, immNone, costFloat)                // conversions
	for _, op := range []int{0x91, 0x95, 0x9f, 0xa3} { // sqrt, div
		set(op, op, immNone, 16)
	}
	set(0xd0, 0xd0, immHeap, 1)
	set(0xd1, 0xd1, immNone, 1)
	set(0xd2, 0xd2, immFunc, 4)
	set(0xd4, 0xd4, immNone, 1)    // ref.as_non_null
	set(0xd5, 0xd6, immSpecial, 1) // br_on_null, br_on_non_null
	return t
}
