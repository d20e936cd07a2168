//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Registers hold what they hold: no operand makes these instructions slower.
#define CHAINS(OP) \
	MOVD n+0(FP), R0; \
loop: \
	OP(0, 16, 17); \
	OP(1, 16, 17); \
	OP(2, 16, 17); \
	OP(3, 16, 17); \
	OP(4, 16, 17); \
	OP(5, 16, 17); \
	OP(6, 16, 17); \
	OP(7, 16, 17); \
	OP(8, 16, 17); \
	OP(9, 16, 17); \
	OP(10, 16, 17); \
	OP(11, 16, 17); \
	OP(12, 16, 17); \
	OP(13, 16, 17); \
	OP(14, 16, 17); \
	OP(15, 16, 17); \
	SUBS $1, R0; \
	BNE  loop; \
	RET

// func limitFMLA(n int)
TEXT ·limitFMLA(SB), NOSPLIT, $0-8
	CHAINS(FMLA_4S)

// func limitSDOT(n int)
TEXT ·limitSDOT(SB), NOSPLIT, $0-8
	CHAINS(SDOT_4S)

// func limitSMMLA(n int)
TEXT ·limitSMMLA(SB), NOSPLIT, $0-8
	CHAINS(SMMLA_4S)

// func limitLoad(p *byte, n int)
TEXT ·limitLoad(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1

loop:
	VLD1.P 64(R0), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1.P 64(R0), [V4.B16, V5.B16, V6.B16, V7.B16]
	VLD1.P 64(R0), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R0), [V20.B16, V21.B16, V22.B16, V23.B16]
	SUBS   $1, R1
	BNE    loop
	RET
